//! Attach: joins a client to the container's own streams.

use std::fs::File;

use ttrpc::{Code, Status};

use crate::log_writer::Stream;
use crate::proto::berth;
use crate::shim::{Outcome, Shim};
use crate::stdio;

/// Answers Attach. All of the client's ends are opened before any of them is used, so that it joins whole or not at all.
///
/// # Errors
/// [`Code::FailedPrecondition`] without a running container, or when one that was made without stdin is asked for it;
/// [`Code::Internal`] with the path that cannot be opened.
pub fn attach(shim: &mut Shim, request: &berth::AttachRequest) -> Result<Outcome, Status> {
    let container = shim.held()?;
    if container.init.exit.is_some() || container.init.started_at.is_none() {
        return Err(Status::new(Code::FailedPrecondition, format!("container {} is not running", container.id)));
    }
    let stdin = if request.stdin.is_empty() {
        None
    } else {
        Some((stdio::attached_input(&request.stdin)?, container_stdin(shim)?))
    };
    let output = |path: &str| if path.is_empty() { Ok(None) } else { stdio::attached_output(path).map(Some) };
    let (stdout, stderr) = (output(&request.stdout)?, output(&request.stderr)?);
    let input = stdin.map(|(input, to)| shim.pass_on(input, to)).transpose()?;
    let ends_with = input.filter(|_| request.ends_with_input);
    for (stream, file) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
        if let Some(file) = file {
            shim.listen_in(stream, file, ends_with);
        }
    }
    Ok(Outcome::empty())
}

/// Where the container reads, as a descriptor of its own that never blocks; none when its stdin is closed by now.
fn container_stdin(shim: &mut Shim) -> Result<Option<File>, Status> {
    let container = shim.held()?;
    let id = &container.id;
    match container.init.terminal.as_ref().or(container.init.stdin_keep.as_ref()) {
        Some(stdin) => stdin
            .try_clone()
            .map(|stdin| Some(stdin.into()))
            .map_err(|error| Status::new(Code::Internal, format!("stdin of container {id}: {error}"))),
        // Whoever comes late still wants to hear the container.
        None if container.options.stdin => Ok(None),
        None => Err(Status::new(Code::FailedPrecondition, format!("container {id} has no stdin"))),
    }
}
