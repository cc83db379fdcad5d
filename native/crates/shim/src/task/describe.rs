//! berth's own service: the log, and what the shim holds.

use ttrpc::{Code, Status};

use crate::clients::Outcome;
use crate::container::Container;
use crate::outputs::Outputs;
use crate::proto::{berth, state};

/// Answers ReopenLog.
///
/// # Errors
/// [`Code::FailedPrecondition`] without a running container or without a log, [`Code::Internal`] with open(2)'s reason.
pub fn reopen_log(container: &Container, outputs: &mut Outputs) -> Result<Outcome, Status> {
    if container.init.exit.is_some() || container.init.pid == 0 {
        return Err(Status::new(Code::FailedPrecondition, format!("container {} is not running", container.id)));
    }
    let Some(log) = outputs.log() else {
        return Err(Status::new(Code::FailedPrecondition, format!("container {} keeps no log", container.id)));
    };
    log.reopen().map_err(|error| Status::new(Code::Internal, format!("reopen log: {error}")))?;
    Ok(Outcome::empty())
}

/// Answers Describe.
///
/// # Errors
/// None.
pub fn describe(container: &Container, outputs: &mut Outputs) -> Result<Outcome, Status> {
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
        log_bytes: outputs.log().map_or(0, |log| log.written()),
        log_dropped_bytes: outputs.log().map_or(0, |log| log.dropped()),
        micros: container.micros.clone(),
    }))
}
