use std::os::fd::{AsFd, AsRawFd};

use rustix::io::{Errno, Result};

/// Makes a detached mount translate owners by the mapping of a user namespace.
///
/// # Errors
/// `EINVAL` when the filesystem does not support it, `ENOSYS` before Linux 5.12.
pub fn map_ids(mount: impl AsFd, user_namespace: impl AsFd) -> Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: user_namespace.as_fd().as_raw_fd() as u64,
    };
    // SAFETY: the kernel reads an empty path and a mount_attr of the size given; both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result < 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    Ok(())
}
