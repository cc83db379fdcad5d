//! Joining a client to the container's own streams.

use ttrpc::Status;

use crate::log_writer::Stream;
use crate::outputs::{Outputs, Stdin};
use crate::proto::berth;
use crate::stdio;

/// Joins a client. All of its ends are opened before any of them is used, so that it joins whole or not at all. `stdin` is
/// asked for only if the client has an input.
///
/// # Errors
/// That of `stdin`; [`ttrpc::Code::Internal`] with the path that cannot be opened.
pub fn attach(
    outputs: &mut Outputs,
    request: &berth::AttachRequest,
    stdin: impl FnOnce(&Outputs) -> Result<Stdin, Status>,
) -> Result<(), Status> {
    let input = match request.stdin.as_str() {
        "" => None,
        path => Some((stdio::attached_input(path)?, stdin(outputs)?)),
    };
    let output = |path: &str| if path.is_empty() { Ok(None) } else { stdio::attached_output(path).map(Some) };
    let (stdout, stderr) = (output(&request.stdout)?, output(&request.stderr)?);
    let input = input.map(|(input, stdin)| outputs.pass_on(input, stdin)).transpose()?;
    let ends_with = input.filter(|_| request.ends_with_input);
    for (stream, file) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
        if let Some(file) = file {
            outputs.listen_in(stream, file, ends_with);
        }
    }
    Ok(())
}
