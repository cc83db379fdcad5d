use std::ffi::CString;
use std::path::Path;

use rustix::fs::{CWD, StatVfsMountFlags, statvfs};
use rustix::io::{Errno, Result};
use rustix::mount::{
    MountFlags, MoveMountFlags, mount_bind, mount_bind_recursive, mount_change, mount_remount, move_mount,
};
use ttrpc::Status;

use super::options::Options;
use super::overlay;
use crate::failure;
use crate::proto::{Empty, FilesystemMount, MountRequest};

/// The kernel's limit on the options of mount(2), less their terminating NUL.
const DATA_MAX: usize = 4095;

/// Mounts what the request describes on its target.
pub fn mount(request: MountRequest) -> std::result::Result<Empty, Status> {
    let MountRequest { mount, target } = request;
    let mount = mount.ok_or_else(|| failure::invalid("mount is missing"))?;
    failure::absolute("target", &target)?;
    if !Path::new(&target).exists() {
        return Err(failure::errno("mount on", &target, Errno::NOENT));
    }
    let what = format!("{} from {} on {target}", mount.r#type, mount.source);
    attach(&mount, &target).map_err(failure::on("mount", what))?;
    Ok(Empty {})
}

/// Mounts on an existing target.
pub fn attach(mount: &FilesystemMount, target: &str) -> Result<()> {
    let options = Options::parse(&mount.options);
    match options.bind {
        Some(recursive) => bind(mount, target, recursive)?,
        None => attach_filesystem(mount, &options, target)?,
    }
    let changed = finish(&options, target);
    if changed.is_err() {
        // Half of what was asked for is worse than nothing: a mount meant to be read-only would be writable.
        let _ = rustix::mount::unmount(target, rustix::mount::UnmountFlags::DETACH);
    }
    changed
}

fn bind(mount: &FilesystemMount, target: &str, recursive: bool) -> Result<()> {
    if recursive {
        return mount_bind_recursive(mount.source.as_str(), target);
    }
    mount_bind(mount.source.as_str(), target)
}

/// A bind mount takes its flags only by a remount, and propagation is a change of its own.
fn finish(options: &Options, target: &str) -> Result<()> {
    if options.bind.is_some() && !options.flags.is_empty() {
        let flags = MountFlags::BIND | options.flags | inherited(target)?;
        mount_remount(target, flags, c"")?;
    }
    options.propagation.map_or(Ok(()), |propagation| mount_change(target, propagation))
}

/// A remount replaces all flags, but a bind of a nosuid filesystem must stay nosuid.
fn inherited(target: &str) -> Result<MountFlags> {
    let now = statvfs(target)?.f_flag;
    let pairs = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
    ];
    let set = pairs.into_iter().filter(|(flag, _)| now.contains(*flag));
    Ok(set.fold(MountFlags::empty(), |flags, (_, flag)| flags | flag))
}

fn attach_filesystem(mount: &FilesystemMount, options: &Options, target: &str) -> Result<()> {
    let data = options.data.join(",");
    if mount.r#type == "overlay" && (data.len() > DATA_MAX || options.value(overlay::USER_MAP).is_some()) {
        let detached = overlay::build(&overlay::lower_dirs(options), options)?;
        return move_mount(&detached, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH);
    }
    let data = CString::new(data).map_err(|_| Errno::INVAL)?;
    rustix::mount::mount(mount.source.as_str(), target, mount.r#type.as_str(), options.flags, data.as_c_str())
}
