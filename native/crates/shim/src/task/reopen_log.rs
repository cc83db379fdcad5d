//! ReopenLog: goes on in a new file.

use ttrpc::{Code, Status};

use crate::clients::Outcome;
use crate::container::Container;
use crate::outputs::Outputs;

/// Answers ReopenLog.
///
/// # Errors
/// [`Code::FailedPrecondition`] without a running container or without a log, [`Code::Internal`] with open(2)'s reason.
pub fn reopen_log(container: &Container, outputs: &mut Outputs) -> Result<Outcome, Status> {
    if container.init.exit.is_some() || container.init.pid == 0 {
        return Err(Status::new(Code::FailedPrecondition, format!("container {} is not running", container.id)));
    }
    let missing = || Status::new(Code::FailedPrecondition, format!("container {} keeps no log", container.id));
    let log = outputs.log().ok_or_else(missing)?;
    log.reopen().map_err(|error| Status::new(Code::Internal, format!("reopen log: {error}")))?;
    Ok(Outcome::empty())
}
