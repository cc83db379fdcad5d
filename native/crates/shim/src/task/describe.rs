//! berth's own service: the log, and what the shim holds.

use ttrpc::{Code, Status};

use crate::proto::{berth, state};
use crate::shim::{Outcome, Shim};

/// Answers ReopenLog.
///
/// # Errors
/// [`Code::FailedPrecondition`] without a running container or without a log, [`Code::Internal`] with open(2)'s reason.
pub fn reopen_log(shim: &mut Shim) -> Result<Outcome, Status> {
    let container = shim.held()?;
    if container.init.exit.is_some() || container.init.pid == 0 {
        return Err(Status::new(Code::FailedPrecondition, format!("container {} is not running", container.id)));
    }
    let Some(log) = &mut container.log else {
        return Err(Status::new(Code::FailedPrecondition, format!("container {} keeps no log", container.id)));
    };
    log.reopen().map_err(|error| Status::new(Code::Internal, format!("reopen log: {error}")))?;
    Ok(Outcome::empty())
}

/// Answers Describe.
///
/// # Errors
/// [`Code::NotFound`] before Create.
pub fn describe(shim: &mut Shim) -> Result<Outcome, Status> {
    let container = shim.held()?;
    let status = match container.init.status() {
        state::Status::Running => "running",
        state::Status::Paused => "paused",
        state::Status::Stopped => "stopped",
        _ => "created",
    };
    let init = &container.init;
    let exit = init.exit.filter(|_| init.announced).map(|exit| berth::ExitRecord {
        id: container.id.clone(),
        pid: init.pid,
        exit_code: exit.code,
        exited_at: Some(exit.at),
        oom_killed: exit.oom_killed,
        started_at: init.started_at,
    });
    Ok(Outcome::message(&berth::DescribeResponse {
        shim_pid: std::process::id(),
        status: status.to_owned(),
        exit,
        log_bytes: container.log.as_ref().map_or(0, crate::log_writer::LogWriter::written),
        log_dropped_bytes: container.log.as_ref().map_or(0, crate::log_writer::LogWriter::dropped),
        micros: container.micros.clone(),
    }))
}
