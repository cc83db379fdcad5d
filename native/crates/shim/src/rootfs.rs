//! Mounting and unmounting the container's root filesystem at `<bundle>/rootfs`.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_bind_recursive, mount_change,
    mount_remount, move_mount, unmount,
};

use crate::proto::types::Mount;

/// Makes the mounts one over the other on `target`. What was made is undone when a later one fails.
///
/// # Errors
/// The failing mount's, with its type and target.
pub fn mount_all(mounts: &[Mount], target: &Path) -> io::Result<()> {
    std::fs::create_dir_all(target)?;
    for mount in mounts {
        if let Err(error) = mount_one(mount, target) {
            let _ = unmount_all(target);
            return Err(io::Error::new(
                error.kind(),
                format!("mount {} on {}: {error}", mount.r#type, target.display()),
            ));
        }
    }
    Ok(())
}

/// Detaches everything that is mounted on `target`; nothing there is success.
///
/// # Errors
/// That of umount2(2).
pub fn unmount_all(target: &Path) -> io::Result<()> {
    loop {
        match unmount(target, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            // EINVAL: not a mount point (any more).
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn mount_one(mount: &Mount, target: &Path) -> io::Result<()> {
    if mount.r#type == "bind" || mount.options.iter().any(|option| option == "bind" || option == "rbind") {
        return bind(mount, target);
    }
    filesystem(mount, target)
}

fn bind(mount: &Mount, target: &Path) -> io::Result<()> {
    mount_bind_recursive(mount.source.as_str(), target)?;
    mount_change(target, MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    if mount.options.iter().any(|option| option == "ro") {
        mount_remount(target, MountFlags::BIND | MountFlags::RDONLY, c"")?;
    }
    Ok(())
}

/// Through the new mount API, option by option: mount(2) takes at most a page of them, too little for many layers.
fn filesystem(mount: &Mount, target: &Path) -> io::Result<()> {
    let context = fsopen(mount.r#type.as_str(), FsOpenFlags::FSOPEN_CLOEXEC)?;
    let fs = context.as_fd();
    let mut attributes = MountAttrFlags::empty();
    fsconfig_set_string(fs, "source", mount.source.as_str())?;
    for option in &mount.options {
        match (option.as_str(), option.split_once('=')) {
            ("ro", _) => attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY,
            ("rw", _) => {}
            ("nosuid", _) => attributes |= MountAttrFlags::MOUNT_ATTR_NOSUID,
            ("nodev", _) => attributes |= MountAttrFlags::MOUNT_ATTR_NODEV,
            ("noexec", _) => attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC,
            (_, Some(("lowerdir", layers))) => {
                for layer in layers.split(':') {
                    fsconfig_set_string(fs, "lowerdir+", layer)?;
                }
            }
            (_, Some((key, value))) => fsconfig_set_string(fs, key, value)?,
            (flag, None) => fsconfig_set_flag(fs, flag)?,
        }
    }
    fsconfig_create(fs)?;
    let mounted = fsmount(fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    let target = CString::new(target.as_os_str().as_encoded_bytes()).map_err(io::Error::other)?;
    move_mount(mounted.as_fd(), c"", rustix::fs::CWD, target.as_c_str(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(())
}
