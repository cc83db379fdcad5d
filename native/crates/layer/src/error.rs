use rustix::io::Errno;

/// Why a layer or a tree could not be worked on.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The archive is malformed or hostile; the same bytes will never unpack.
    #[error("{0}")]
    Invalid(String),
    /// The disk is full or a limit against archive bombs was hit.
    #[error("{0}")]
    Exhausted(String),
    /// What the caller named does not exist.
    #[error("{op} {path}: no such file or directory")]
    NotFound { op: &'static str, path: String },
    /// The kernel refused an operation for a reason that is not the archive's fault.
    #[error("{op} {path}: {errno}")]
    Io { op: &'static str, path: String, errno: Errno },
}

pub(crate) type Result<T> = std::result::Result<T, LayerError>;

/// Names the operation and the object of a failed system call.
pub(crate) trait Context<T> {
    fn at(self, op: &'static str, path: &[u8]) -> Result<T>;
}

impl<T> Context<T> for std::result::Result<T, Errno> {
    fn at(self, op: &'static str, path: &[u8]) -> Result<T> {
        self.map_err(|errno| classify(op, path, errno))
    }
}

pub(crate) fn classify(op: &'static str, path: &[u8], errno: Errno) -> LayerError {
    let path = show(path);
    match errno {
        Errno::NOSPC => LayerError::Exhausted(format!("no space left on device ({op} {path})")),
        Errno::DQUOT => LayerError::Exhausted(format!("disk quota exceeded ({op} {path})")),
        Errno::FBIG => LayerError::Exhausted(format!("file too large for this filesystem ({path})")),
        Errno::NAMETOOLONG => LayerError::Invalid(format!("{op} {path}: name too long")),
        Errno::NOENT => LayerError::NotFound { op, path },
        errno => LayerError::Io { op, path, errno },
    }
}

/// A name from an archive made fit for a message: escaped, and cut so that a hostile one cannot flood a log.
pub(crate) fn show(path: &[u8]) -> String {
    const LONGEST: usize = 200;
    let cut = &path[..path.len().min(LONGEST)];
    let ellipsis = if path.len() > LONGEST { "…" } else { "" };
    format!("\"{}{ellipsis}\"", cut.escape_ascii())
}

pub(crate) fn invalid<T>(message: impl Into<String>) -> Result<T> {
    Err(LayerError::Invalid(message.into()))
}
