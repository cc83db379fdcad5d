use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, Result};
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};

/// Makes a detached mount translate owners by the mapping of a user namespace.
///
/// # Errors
/// `EINVAL` when the filesystem does not support it, `ENOSYS` before Linux 5.12.
pub fn map_ids(mount: impl AsFd, user_namespace: impl AsFd) -> Result<()> {
    let userns_fd = user_namespace.as_fd().as_raw_fd() as u64;
    set(mount, &libc::mount_attr { attr_set: libc::MOUNT_ATTR_IDMAP, attr_clr: 0, propagation: 0, userns_fd })
}

/// Gives a mount more attributes; it keeps those that it has, but for the way of keeping access times.
///
/// # Errors
/// `ENOSYS` before Linux 5.12, and those of mount_setattr(2).
pub fn add_mount_attributes(mount: impl AsFd, attributes: MountAttrFlags) -> Result<()> {
    let times = MountAttrFlags::MOUNT_ATTR__ATIME;
    // The ways exclude each other, so the kernel wants them all cleared before one is set.
    let attr_clr = if attributes.intersects(times) { u64::from(times.bits()) } else { 0 };
    let attr_set = u64::from(attributes.bits());
    set(mount, &libc::mount_attr { attr_set, attr_clr, propagation: 0, userns_fd: 0 })
}

/// Opens a file so that nobody who gets hold of the descriptor, or of a link to it below /proc, can open it for writing
/// or change its mode, owner or times. A device is still read and written as what it is.
///
/// The descriptor lies in a read-only mount that is nowhere to be found. All of the directory is in it: what is not the
/// root of a mount cannot be made writable by who may mount either.
///
/// # Errors
/// Those of open(2) and open_tree(2); `ENOSYS` before Linux 5.12.
pub fn open_unchangeable(path: &Path, flags: OFlags) -> Result<OwnedFd> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::ISDIR);
    };
    let tree = open_tree(CWD, dir, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    add_mount_attributes(&tree, MountAttrFlags::MOUNT_ATTR_RDONLY)?;
    openat(&tree, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn set(mount: impl AsFd, attributes: &libc::mount_attr) -> Result<()> {
    // SAFETY: the kernel reads an empty path and a mount_attr of the size given; both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            std::ptr::from_ref(attributes),
            size_of::<libc::mount_attr>(),
        )
    };
    if result < 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_open_cannot_be_changed_by_its_descriptor() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: cloning a mount needs root");
            return;
        }
        let path = std::env::temp_dir().join(format!("berth-unchangeable-{}", std::process::id()));
        std::fs::write(&path, "as it was").unwrap();
        let open = open_unchangeable(&path, OFlags::RDONLY);
        std::fs::remove_file(&path).unwrap();
        let mut file = File::from(open.unwrap());
        let again = format!("/proc/self/fd/{}", file.as_raw_fd());
        for error in [
            std::fs::write(&again, "changed").unwrap_err(),
            std::fs::set_permissions(&again, PermissionsExt::from_mode(0o000)).unwrap_err(),
            file.set_permissions(PermissionsExt::from_mode(0o000)).unwrap_err(),
            file.set_modified(std::time::UNIX_EPOCH).unwrap_err(),
        ] {
            assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
        }
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "as it was");
    }

    #[test]
    fn a_device_is_one_all_the_same() {
        if rustix::process::geteuid().is_root() {
            let mut null = File::from(open_unchangeable(Path::new("/dev/null"), OFlags::RDWR).unwrap());
            assert_eq!((null.write(b"x").unwrap(), null.read(&mut [0]).unwrap()), (1, 0));
        }
    }
}
