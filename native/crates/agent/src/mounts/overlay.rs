//! Overlay mounts by the kernel's newer interface, which takes layers one by one and so has no limit of a page.

use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::{Errno, Result};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_fd,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, open_tree,
};

use super::options::Options;

/// The kernel's limit on the value of one option, its terminating NUL included.
const VALUE_MAX: usize = 256;

/// The option that names a pinned user namespace, by which the layers' owners are translated.
pub const USER_MAP: &str = "usermap";

/// The layers of a mount's `lowerdir`, topmost first. As the kernel reads it, a backslash takes a colon into a name.
pub fn lower_dirs(options: &Options) -> Vec<String> {
    let mut dirs = vec![String::new()];
    let mut letters = options.value("lowerdir").unwrap_or_default().chars();
    while let Some(letter) = letters.next() {
        match letter {
            ':' => dirs.push(String::new()),
            '\\' => dirs.iter_mut().last().into_iter().for_each(|dir| dir.extend(letters.next())),
            other => dirs.iter_mut().last().into_iter().for_each(|dir| dir.push(other)),
        }
    }
    dirs.retain(|dir| !dir.is_empty());
    dirs
}

/// Makes a detached mount. Needs Linux 6.8 for `lowerdir+`; an older kernel answers `EINVAL`.
pub fn build(lower: &[String], options: &Options) -> Result<OwnedFd> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    // Long paths and mapped layers are given by descriptor, which must stay open until the mount is made.
    let mut held = Vec::new();
    fsconfig_set_string(&context, "source", "overlay")?;
    let users = options.value(USER_MAP).map(open_namespace).transpose()?;
    for dir in lower {
        if let Some(users) = &users {
            let layer = mapped_layer(dir, users)?;
            fsconfig_set_fd(&context, "lowerdir+", &layer)?;
            held.push(layer);
        } else {
            fsconfig_set_string(&context, "lowerdir+", within_limit(dir, &mut held)?)?;
        }
    }
    for word in options.data.iter().filter(|word| !is_done(word)) {
        match word.split_once('=') {
            Some((key @ ("upperdir" | "workdir"), dir)) => {
                fsconfig_set_string(&context, key, within_limit(dir, &mut held)?)?;
            }
            // Quoted for mount(2), where a comma would end it; here it stands alone.
            Some(("context", label)) => fsconfig_set_string(&context, "context", label.trim_matches('"'))?,
            Some((key, value)) => fsconfig_set_string(&context, key, value)?,
            None => fsconfig_set_flag(&context, word.as_str())?,
        }
    }
    if options.flags.contains(MountFlags::RDONLY) {
        fsconfig_set_flag(&context, "ro")?;
    }
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes(options.flags))
}

/// Whether a word has its own place in [`build`].
fn is_done(word: &str) -> bool {
    word.split_once('=').is_some_and(|(key, _)| key == "lowerdir" || key == USER_MAP)
}

fn open_namespace(path: &str) -> Result<OwnedFd> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// A view of a layer, seen by nobody else, with its owners translated by a user namespace.
fn mapped_layer(dir: &str, users: &OwnedFd) -> Result<OwnedFd> {
    let tree = open_tree(CWD, dir, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    sys::map_ids(&tree, users)?;
    Ok(tree)
}

/// A path short enough for an option's value: itself, or that of a descriptor of the same directory.
fn within_limit(dir: &str, held: &mut Vec<OwnedFd>) -> Result<String> {
    use std::os::fd::AsRawFd;
    if dir.len() < VALUE_MAX {
        return Ok(dir.to_owned());
    }
    let fd = rustix::fs::open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    held.push(fd);
    Ok(path)
}

fn attributes(flags: MountFlags) -> MountAttrFlags {
    let pairs = [
        (MountFlags::RDONLY, MountAttrFlags::MOUNT_ATTR_RDONLY),
        (MountFlags::NOSUID, MountAttrFlags::MOUNT_ATTR_NOSUID),
        (MountFlags::NODEV, MountAttrFlags::MOUNT_ATTR_NODEV),
        (MountFlags::NOEXEC, MountAttrFlags::MOUNT_ATTR_NOEXEC),
        (MountFlags::NOATIME, MountAttrFlags::MOUNT_ATTR_NOATIME),
        (MountFlags::STRICTATIME, MountAttrFlags::MOUNT_ATTR_STRICTATIME),
        (MountFlags::NODIRATIME, MountAttrFlags::MOUNT_ATTR_NODIRATIME),
    ];
    let set = pairs.into_iter().filter(|(flag, _)| flags.contains(*flag));
    set.fold(MountAttrFlags::empty(), |attributes, (_, attribute)| attributes | attribute)
}

/// Whether a kernel's answer means that it does not know the newer interface.
pub fn is_too_old(errno: Errno) -> bool {
    matches!(errno, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_told_apart() {
        let options = Options::parse(&["lowerdir=/a:/b\\:c:/d".to_owned()]);
        assert_eq!(lower_dirs(&options), ["/a", "/b:c", "/d"]);
        assert!(lower_dirs(&Options::default()).is_empty());
    }
}
