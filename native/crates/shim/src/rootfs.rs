//! Mounting and unmounting the container's root filesystem at `<bundle>/rootfs`.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags, fsconfig_create, fsconfig_set_fd, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen,
    mount_bind_recursive, mount_change, mount_remount, move_mount, open_tree, unmount,
};

use crate::proto::types::Mount;

/// Makes the mounts one over the other on `target`. What was made is undone when a later one fails. Mounts with the
/// options `uidmap` and `gidmap` show their layers' files to the container in the bundle's spec, which must join a user
/// namespace, as if they were its own: its root owns what root owns on the host.
///
/// # Errors
/// The failing mount's, with its type and target.
pub fn mount_all(mounts: &[Mount], bundle: &Path, target: &Path) -> io::Result<()> {
    std::fs::create_dir_all(target)?;
    for mount in mounts {
        if let Err(error) = mount_one(mount, bundle, target) {
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

fn mount_one(mount: &Mount, bundle: &Path, target: &Path) -> io::Result<()> {
    if mount.r#type == "bind" || mount.options.iter().any(|option| option == "bind" || option == "rbind") {
        return bind(mount, target);
    }
    if mount.options.iter().any(|option| is_mapping(option)) {
        let users = File::open(user_namespace(bundle)?)?;
        return filesystem(mount, Some(users.as_fd()), target);
    }
    filesystem(mount, None, target)
}

fn is_mapping(option: &str) -> bool {
    option.starts_with("uidmap=") || option.starts_with("gidmap=")
}

/// The user namespace that the bundle's spec joins.
fn user_namespace(bundle: &Path) -> io::Result<PathBuf> {
    let spec: serde_json::Value = serde_json::from_slice(&std::fs::read(bundle.join("config.json"))?)?;
    let namespaces = spec.pointer("/linux/namespaces").and_then(serde_json::Value::as_array);
    let user = namespaces.into_iter().flatten().find(|namespace| namespace["type"] == "user");
    let path = user.and_then(|namespace| namespace["path"].as_str());
    path.map(PathBuf::from)
        .ok_or_else(|| io::Error::other("its owners are to be mapped, but the spec joins no user namespace"))
}

/// A view of a layer, seen by nobody else, with its owners translated by a user namespace.
fn mapped_layer(layer: &str, users: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let tree = open_tree(rustix::fs::CWD, layer, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    sys::map_ids(&tree, users)?;
    Ok(tree)
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
fn filesystem(mount: &Mount, users: Option<BorrowedFd<'_>>, target: &Path) -> io::Result<()> {
    let context = fsopen(mount.r#type.as_str(), FsOpenFlags::FSOPEN_CLOEXEC)?;
    let fs = context.as_fd();
    let mut attributes = MountAttrFlags::empty();
    // A detached mount goes with its descriptor, so these stay open until the overlay has taken them.
    let mut mapped = Vec::new();
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
                    let Some(users) = users else {
                        fsconfig_set_string(fs, "lowerdir+", layer)?;
                        continue;
                    };
                    let layer = mapped_layer(layer, users)?;
                    fsconfig_set_fd(fs, "lowerdir+", &layer)?;
                    mapped.push(layer);
                }
            }
            _ if is_mapping(option) => {}
            // Quoted for mount(2), where a comma would end it; here it stands alone.
            (_, Some(("context", label))) => fsconfig_set_string(fs, "context", label.trim_matches('"'))?,
            (_, Some((key, value))) => fsconfig_set_string(fs, key, value)?,
            (flag, None) => fsconfig_set_flag(fs, flag)?,
        }
    }
    fsconfig_create(fs)?;
    drop(mapped);
    let mounted = fsmount(fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    let target = CString::new(target.as_os_str().as_encoded_bytes()).map_err(io::Error::other)?;
    move_mount(mounted.as_fd(), c"", rustix::fs::CWD, target.as_c_str(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(())
}
