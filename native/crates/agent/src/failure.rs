//! Failures as the contract words them: a google.rpc code, and a message that names the operation and its object.

use layer::LayerError;
use rustix::io::Errno;
use ttrpc::{Code, Status};

/// The status for a failed system call on an object.
pub fn errno(operation: &str, object: impl AsRef<str>, errno: Errno) -> Status {
    let code = match errno {
        Errno::NOENT => Code::NotFound,
        Errno::NOSPC | Errno::DQUOT | Errno::NOMEM | Errno::MFILE | Errno::NFILE => Code::ResourceExhausted,
        Errno::EXIST => Code::AlreadyExists,
        _ => Code::Internal,
    };
    Status::new(code, format!("{operation} {}: {errno}", object.as_ref()))
}

/// For `map_err`.
pub fn on<'a>(operation: &'a str, object: impl AsRef<str> + 'a) -> impl FnOnce(Errno) -> Status + 'a {
    move |error| errno(operation, object, error)
}

/// The same for errors of the standard library.
pub fn io<'a>(operation: &'a str, object: impl AsRef<str> + 'a) -> impl FnOnce(std::io::Error) -> Status + 'a {
    move |error| match Errno::from_io_error(&error) {
        Some(code) => errno(operation, object, code),
        None => Status::new(Code::Internal, format!("{operation} {}: {error}", object.as_ref())),
    }
}

/// The status for what waited in line until nobody waited for it any more. It was not begun.
pub fn late(what: &str) -> Status {
    Status::new(Code::DeadlineExceeded, format!("{what}: its turn did not come in time, and it was not run"))
}

pub fn invalid(message: impl Into<String>) -> Status {
    Status::new(Code::InvalidArgument, message)
}

/// The status for a layer or tree, `work` saying what was done to what.
pub fn layer(work: &str, error: &LayerError) -> Status {
    let code = match error {
        LayerError::Invalid(_) => Code::InvalidArgument,
        LayerError::Exhausted(_) => Code::ResourceExhausted,
        LayerError::NotFound { .. } => Code::NotFound,
        LayerError::Io { .. } => Code::Internal,
    };
    Status::new(code, format!("{error} while {work}"))
}

/// Refuses a path that would depend on our working directory.
pub fn absolute(what: &str, path: &str) -> Result<(), Status> {
    if path.starts_with('/') && !path.contains('\0') {
        return Ok(());
    }
    Err(invalid(format!("{what} must be an absolute path, not {path:?}")))
}
