//! Attach: joins a client to the container's own streams.

use ttrpc::{Code, Status};

use crate::attach;
use crate::clients::Outcome;
use crate::container::Container;
use crate::outputs::{Outputs, Stdin};
use crate::proto::berth;

/// Answers Attach.
///
/// # Errors
/// [`Code::FailedPrecondition`] without a running container, or when one that was made without stdin is asked for it;
/// [`Code::Internal`] with the path that cannot be opened.
pub fn attach(container: &Container, outputs: &mut Outputs, request: &berth::AttachRequest) -> Result<Outcome, Status> {
    if container.init.exit.is_some() || container.init.started_at.is_none() {
        return Err(Status::new(Code::FailedPrecondition, format!("container {} is not running", container.id)));
    }
    attach::attach(outputs, request, |outputs| stdin(container, outputs))?;
    Ok(Outcome::empty())
}

/// Where the container reads.
fn stdin(container: &Container, outputs: &Outputs) -> Result<Stdin, Status> {
    let id = &container.id;
    let terminal = container.init.terminal.as_ref();
    let held = terminal.or_else(|| outputs.stdin(""));
    // A client that comes late still wants to hear the container.
    if held.is_none() && !container.options.stdin {
        return Err(Status::new(Code::FailedPrecondition, format!("container {id} has no stdin")));
    }
    let to = held.map(|stdin| stdin.try_clone().map(Into::into)).transpose();
    let to = to.map_err(|error| Status::new(Code::Internal, format!("stdin of container {id}: {error}")))?;
    // A terminal has no end of input that could be passed on.
    Ok(Stdin { to, once: container.options.stdin_once && terminal.is_none() })
}
