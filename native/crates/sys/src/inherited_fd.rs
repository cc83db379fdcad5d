use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::io::{Errno, FdFlags, fcntl_setfd};

/// Takes over a descriptor that the parent process left open for us, and keeps it from our own children. To be called
/// once per number, at the start of `main`, before anything else could own it.
///
/// # Errors
/// `EBADF` when nothing is open at that number, or when it is a standard stream.
pub fn take_inherited_fd(number: RawFd) -> rustix::io::Result<OwnedFd> {
    // SAFETY: fcntl takes any number and touches no memory.
    let open = number > libc::STDERR_FILENO && unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0;
    if !open {
        return Err(Errno::BADF);
    }
    // SAFETY: the descriptor is open, and by the contract above nothing in this process owns it yet.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
    Ok(fd)
}
