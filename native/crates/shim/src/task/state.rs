//! Questions about the container.

use ttrpc::{Code, Status};

use crate::proto::{state as types, task};
use crate::shim::{Outcome, Shim};
use crate::stats;

/// Answers State.
///
/// # Errors
/// [`Code::NotFound`].
pub fn state(shim: &mut Shim, request: &task::StateRequest) -> Result<Outcome, Status> {
    let container = shim.held()?;
    let missing = || Status::new(Code::NotFound, format!("exec {} is not created", request.exec_id));
    let process = container.process(&request.exec_id).ok_or_else(missing)?;
    let exit = process.exit.filter(|_| process.announced);
    Ok(Outcome::message(&task::StateResponse {
        id: container.id.clone(),
        bundle: container.bundle.display().to_string(),
        pid: process.pid,
        status: process.status().into(),
        stdin: process.stdio.stdin.clone(),
        stdout: process.stdio.stdout.clone(),
        stderr: process.stdio.stderr.clone(),
        terminal: process.stdio.terminal,
        exit_status: exit.map_or(0, |exit| exit.code),
        exited_at: exit.map(|exit| exit.at),
        exec_id: request.exec_id.clone(),
    }))
}

/// Answers Pids: every process of the container's cgroup.
///
/// # Errors
/// [`Code::NotFound`].
pub fn pids(shim: &mut Shim) -> Result<Outcome, Status> {
    let pids = shim.held()?.cgroup.as_ref().map(cgroup::CgroupPaths::pids).unwrap_or_default();
    let processes = pids.into_iter().map(|pid| types::ProcessInfo { pid, info: None }).collect();
    Ok(Outcome::message(&task::PidsResponse { processes }))
}

/// Answers Connect.
///
/// # Errors
/// None; before Create the task's pid is 0.
pub fn connect(shim: &Shim) -> Result<Outcome, Status> {
    let task_pid = shim.container.as_ref().map_or(0, |container| container.init.pid);
    Ok(Outcome::message(&task::ConnectResponse {
        shim_pid: std::process::id(),
        task_pid,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

/// Answers Stats.
///
/// # Errors
/// [`Code::NotFound`], [`Code::FailedPrecondition`] before the container runs.
pub fn stats(shim: &mut Shim) -> Result<Outcome, Status> {
    let container = shim.held()?;
    let Some(cgroup) = &container.cgroup else {
        return Err(Status::new(Code::FailedPrecondition, format!("container {} has no cgroup yet", container.id)));
    };
    Ok(Outcome::message(&task::StatsResponse { stats: Some(stats::read(cgroup, container.init.pid)) }))
}
