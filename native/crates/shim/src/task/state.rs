//! Questions about the container.

use ttrpc::{Code, Status};

use crate::clients::Outcome;
use crate::container::Container;
use crate::proto::{state as types, task};
use crate::stats;

/// Answers State.
///
/// # Errors
/// [`Code::NotFound`].
pub fn state(container: &mut Container, request: &task::StateRequest) -> Result<Outcome, Status> {
    let (id, bundle) = (container.id.clone(), container.bundle.display().to_string());
    let process = container.find(&request.exec_id)?;
    let exit = process.exit.filter(|_| process.announced);
    Ok(Outcome::message(&task::StateResponse {
        id,
        bundle,
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
pub fn pids(container: &Container) -> Result<Outcome, Status> {
    let pids = container.cgroup.as_ref().map(cgroup::CgroupPaths::pids).unwrap_or_default();
    let processes = pids.into_iter().map(|pid| types::ProcessInfo { pid, info: None }).collect();
    Ok(Outcome::message(&task::PidsResponse { processes }))
}

/// Answers Connect.
///
/// # Errors
/// None; before Create the task's pid is 0.
pub fn connect(container: Option<&Container>) -> Result<Outcome, Status> {
    let task_pid = container.map_or(0, |container| container.init.pid);
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
pub fn stats(container: &Container) -> Result<Outcome, Status> {
    let Some(cgroup) = &container.cgroup else {
        return Err(Status::new(Code::FailedPrecondition, format!("container {} has no cgroup yet", container.id)));
    };
    Ok(Outcome::message(&task::StatsResponse { stats: Some(stats::read(cgroup, container.init.pid)) }))
}
