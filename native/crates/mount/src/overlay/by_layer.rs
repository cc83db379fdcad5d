//! The way of Linux 6.8: an option for each layer, so that no page limits them.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Result;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_fd, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, open_tree,
};

use super::stack::Overlay;
use crate::bind::attributes;
use crate::error::{MountError, at};
use crate::limits::VALUE_MAX;

/// Whether this kernel's overlayfs knows the option for a single layer. It writes nothing to the kernel's log: until
/// Linux 6.5 overlayfs takes any word and looks at none before it mounts, which is why a word is tried that nobody knows.
pub fn is_known() -> bool {
    let Ok(context) = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC) else { return false };
    fsconfig_set_string(&context, "lowerdir+", "/").is_ok() && fsconfig_set_flag(&context, "no-such-option").is_err()
}

/// Makes a detached mount.
pub fn build(overlay: &Overlay) -> std::result::Result<OwnedFd, MountError> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(at("open", "overlayfs"))?;
    // Directories that are given by descriptor must stay open until the mount is made.
    let mut held = Vec::new();
    let users = overlay.user_map.as_deref().map(|path| open(path, OFlags::RDONLY).map_err(at("open", path)));
    let users = users.transpose()?;
    for dir in &overlay.lower {
        let added = match &users {
            Some(users) => add_mapped(&context, dir, users, &mut held),
            None => set_dir(&context, "lowerdir+", dir, &mut held),
        };
        added.map_err(at("add layer", dir))?;
    }
    for (key, dir) in [("upperdir", &overlay.upper), ("workdir", &overlay.work)] {
        let Some(dir) = dir else { continue };
        set_dir(&context, key, dir, &mut held).map_err(at(key, dir))?;
    }
    let source = if held.is_empty() { "overlay" } else { overlay.telling_source() };
    fsconfig_set_string(&context, "source", source).map_err(at("name", "the overlay"))?;
    set_rest(&context, overlay)?;
    fsconfig_create(&context).map_err(at("mount", format!("an overlay of {} layers", overlay.lower.len())))?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes(overlay.flags)).map_err(at("mount", "the overlay"))
}

fn open(path: &str, flags: OFlags) -> Result<OwnedFd> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())
}

/// A view of a layer, seen by nobody else, with its owners translated by a user namespace.
fn add_mapped(context: &OwnedFd, dir: &str, users: &OwnedFd, held: &mut Vec<OwnedFd>) -> Result<()> {
    let tree = open_tree(CWD, dir, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    sys::map_ids(&tree, users)?;
    fsconfig_set_fd(context, "lowerdir+", &tree)?;
    held.push(tree);
    Ok(())
}

/// By its name, so that the mount table says where it is; by descriptor where the name is too long, or where some of
/// the options and kernels would take a backslash for more than itself.
fn set_dir(context: &OwnedFd, key: &str, dir: &str, held: &mut Vec<OwnedFd>) -> Result<()> {
    if dir.len() < VALUE_MAX && !dir.contains('\\') {
        return fsconfig_set_string(context, key, dir);
    }
    let fd = open(dir, OFlags::PATH | OFlags::DIRECTORY)?;
    fsconfig_set_string(context, key, format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
    held.push(fd);
    Ok(())
}

fn set_rest(context: &OwnedFd, overlay: &Overlay) -> std::result::Result<(), MountError> {
    for word in &overlay.rest {
        let set = match word.split_once('=') {
            // Quoted for mount(2), where a comma would end it; here it stands alone.
            Some((key, value)) if key.ends_with("context") => {
                fsconfig_set_string(context, key, value.trim_matches('"'))
            }
            Some((key, value)) => fsconfig_set_string(context, key, value),
            None => fsconfig_set_flag(context, word.as_str()),
        };
        set.map_err(at("take option", word))?;
    }
    let of_the_filesystem = [
        (MountFlags::RDONLY, "ro"),
        (MountFlags::SYNCHRONOUS, "sync"),
        (MountFlags::DIRSYNC, "dirsync"),
        (MountFlags::LAZYTIME, "lazytime"),
    ];
    for (_, word) in of_the_filesystem.into_iter().filter(|(flag, _)| overlay.flags.contains(*flag)) {
        fsconfig_set_flag(context, word).map_err(at("take option", word))?;
    }
    Ok(())
}
