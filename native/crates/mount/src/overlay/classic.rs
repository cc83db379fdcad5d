//! The way of older kernels: mount(2), whose options fill at most a page.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, OpenTreeFlags, mount, mount_change, open_tree};
use rustix::thread::UnshareFlags;

use super::stack::Overlay;
use super::words::escape;
use crate::error::{MountError, at};
use crate::limits::DATA_MAX;

/// Where descriptors have names that are short enough for five hundred of them.
const DESCRIPTORS: &str = "/proc/self/fd";

/// Mounts on `target`.
pub fn attach(overlay: &Overlay, target: &Path) -> Result<(), MountError> {
    let lower: Vec<String> = overlay.lower.iter().map(|dir| escape(dir)).collect();
    let data = data(overlay, &lower);
    if data.len() <= DATA_MAX {
        return mount_with(overlay, ("overlay", data), target);
    }
    // The working directory belongs to all threads of a process, but for one that has parted with the others.
    let attached = sys::apart(|| {
        sys::unshare(UnshareFlags::FS).map_err(at("part with", "the working directory"))?;
        attach_by_descriptors(overlay, target)
    });
    attached.map_err(at("start", "a thread"))?
}

/// With the layers' names relative to where their descriptors are, and those of the other two where it must be.
fn attach_by_descriptors(overlay: &Overlay, target: &Path) -> Result<(), MountError> {
    let mut held = Vec::new();
    let lower = overlay.lower.iter().map(|dir| hold(dir, &mut held)).collect::<Result<Vec<_>, _>>()?;
    let mut data = data(overlay, &lower);
    if data.len() > DATA_MAX {
        let upper = overlay.upper.as_ref().map(|dir| hold(dir, &mut held)).transpose()?;
        let work = overlay.work.as_ref().map(|dir| hold(dir, &mut held)).transpose()?;
        data = self::data(&Overlay { upper, work, ..overlay.clone() }, &lower);
    }
    if data.len() > DATA_MAX {
        return Err(MountError::OptionsTooLong { bytes: data.len() });
    }
    rustix::process::chdir(DESCRIPTORS).map_err(at("change to", DESCRIPTORS))?;
    mount_with(overlay, (overlay.telling_source(), data), target)
}

/// Opens the directory; its name among the descriptors.
fn hold(dir: &str, held: &mut Vec<OwnedFd>) -> Result<String, MountError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(dir, flags, Mode::empty()).map_err(at("open layer", dir))?;
    let name = fd.as_raw_fd().to_string();
    held.push(fd);
    Ok(name)
}

fn data(overlay: &Overlay, lower: &[String]) -> String {
    let dirs = [("upperdir", &overlay.upper), ("workdir", &overlay.work)];
    let dirs = dirs.into_iter().filter_map(|(key, dir)| dir.as_ref().map(|dir| format!("{key}={}", escape(dir))));
    let mut words: Vec<String> = overlay.rest.iter().cloned().chain(dirs).collect();
    words.push(format!("lowerdir={}", lower.join(":")));
    words.join(",")
}

fn mount_with(overlay: &Overlay, (source, data): (&str, String), target: &Path) -> Result<(), MountError> {
    let failed = |errno| at("mount", format!("an overlay of {} layers", overlay.lower.len()))(errno);
    let data = CString::new(data).map_err(|_| failed(Errno::INVAL))?;
    mount(source, target, "overlay", overlay.flags, data.as_c_str()).map_err(failed)
}

/// A thread with a mount namespace of its own mounts, clones the mount into a detached one and ends.
pub fn detached(overlay: &Overlay) -> Result<OwnedFd, MountError> {
    // Any directory will do as the mount point, and this one always exists.
    const POINT: &str = "/proc";
    let opened = sys::apart(|| {
        sys::unshare(UnshareFlags::NEWNS).map_err(at("make", "a mount namespace"))?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .map_err(at("make private", "all mounts"))?;
        attach(overlay, Path::new(POINT))?;
        open_tree(CWD, POINT, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
            .map_err(at("clone", "the overlay"))
    });
    opened.map_err(at("start", "a thread"))?
}
