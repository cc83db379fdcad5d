//! fork(2) for programs with one thread.

use std::io;

/// Which side of the fork the caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forked {
    /// The original process, with the child's pid.
    Parent(i32),
    Child,
}

/// Forks a process that has a single thread; with more, the child would hold locks that nobody releases.
///
/// # Errors
/// That of fork(2), and `Unsupported` when more than one thread runs.
pub fn fork_single_threaded() -> io::Result<Forked> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "fork needs a process with one thread"));
    }
    // SAFETY: there is one thread, so the child sees every lock and allocator state as the parent left it.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(pid)),
    }
}
