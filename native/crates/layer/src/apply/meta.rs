//! Owners, modes, times and extended attributes, and overlay's two marks.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, FileType, Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::error::{Context, Result};
use crate::tarball::Entry;

const OPAQUE: &[u8] = b"trusted.overlay.opaque";
/// Overlay's own attributes steer what a mount shows; a layer must not write them (it could name other directories).
const OVERLAY: &[u8] = b"trusted.overlay.";
/// The kernel's limit on one attribute's value.
const VALUE_MAX: usize = 64 << 10;

pub(crate) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// A directory without the mark, or on a filesystem that cannot carry it, is not opaque.
pub(crate) fn is_opaque(dir: impl AsFd) -> bool {
    let mut value = [0; 1];
    matches!(fs::fgetxattr(dir, OPAQUE, &mut value), Ok(1)) && value == *b"y"
}

pub(crate) fn set_opaque(dir: &OwnedFd, path: &[u8]) -> Result<()> {
    fs::fsetxattr(dir, OPAQUE, b"y", XattrFlags::empty()).at("mark opaque", path)
}

/// Gives an open file or directory what the entry says, except times. The order matters: chown drops setuid bits and
/// file capabilities.
pub(crate) fn set_by_descriptor(fd: &OwnedFd, entry: &Entry) -> Result<()> {
    let (uid, gid) = owner(entry);
    fs::fchown(fd, uid, gid).at("chown", &entry.name)?;
    fs::fchmod(fd, Mode::from_raw_mode(entry.mode)).at("chmod", &entry.name)?;
    for (name, value) in settable(&entry.xattrs) {
        tolerate_unsupported(fs::fsetxattr(fd, name, value, XattrFlags::empty())).at("setxattr", &entry.name)?;
    }
    Ok(())
}

/// The same, with times, for what must not or cannot be opened: links, devices, pipes.
pub(crate) fn set_by_name(dir: &OwnedFd, name: &[u8], entry: &Entry) -> Result<()> {
    let (uid, gid) = owner(entry);
    fs::chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).at("chown", &entry.name)?;
    if !matches!(entry.kind, crate::tarball::Kind::Symlink(_)) {
        fs::chmodat(dir, name, Mode::from_raw_mode(entry.mode), AtFlags::empty()).at("chmod", &entry.name)?;
    }
    set_xattrs_by_name(dir, name, entry)?;
    set_times_by_name(dir, name, entry.mtime).at("set times", &entry.name)
}

fn set_xattrs_by_name(dir: &OwnedFd, name: &[u8], entry: &Entry) -> Result<()> {
    let path = by_name(dir.as_fd(), name);
    for (key, value) in settable(&entry.xattrs) {
        // user.* attributes exist on files and directories only; the kernel refuses them here with EPERM.
        match tolerate_unsupported(fs::lsetxattr(&path, key, value, XattrFlags::empty())) {
            Err(Errno::PERM) if key.starts_with(b"user.") => {}
            other => other.at("setxattr", &entry.name)?,
        }
    }
    Ok(())
}

/// The same for a further name of a file, where it says something else than the first: chown would drop setuid bits and
/// capabilities that only the first header has. A symlink keeps its mode.
pub(crate) fn set_on_link(dir: &OwnedFd, name: &[u8], entry: &Entry) -> Result<()> {
    let stat = fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).at("stat", &entry.name)?;
    let is_symlink = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
    let (uid, gid) = owner(entry);
    let moves =
        uid.is_some_and(|uid| uid.as_raw() != stat.st_uid) || gid.is_some_and(|gid| gid.as_raw() != stat.st_gid);
    if moves {
        fs::chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).at("chown", &entry.name)?;
    }
    if !is_symlink && (moves || stat.st_mode & 0o7777 != entry.mode) {
        fs::chmodat(dir, name, Mode::from_raw_mode(entry.mode), AtFlags::empty()).at("chmod", &entry.name)?;
    }
    set_xattrs_by_name(dir, name, entry)?;
    set_times_by_name(dir, name, entry.mtime).at("set times", &entry.name)
}

pub(crate) fn set_times_by_name(dir: impl AsFd, name: &[u8], mtime: Timespec) -> rustix::io::Result<()> {
    fs::utimensat(dir, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)
}

/// Both times are set to the modification time: access times are of no use in an image and differ between unpacks.
pub(crate) fn times(mtime: Timespec) -> Timestamps {
    Timestamps { last_access: mtime, last_modification: mtime }
}

pub(crate) fn mtime_of(stat: &Stat) -> Timespec {
    Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as i64 }
}

/// Makes a directory look like one of a layer below: owner, mode and attributes. Times follow when the tree is done.
pub(crate) fn copy_directory(from: impl AsFd, stat: &Stat, to: impl AsFd, path: &[u8]) -> Result<()> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    fs::fchown(&to, Some(uid), Some(gid)).at("chown", path)?;
    fs::fchmod(&to, Mode::from_raw_mode(stat.st_mode & 0o7777)).at("chmod", path)?;
    let to = [by_descriptor(to.as_fd()), b"/.".to_vec()].concat();
    copy_xattrs(from.as_fd(), &to, path)
}

/// Copies extended attributes from a descriptor (`O_PATH` will do) to a path whose last name is not followed.
pub(crate) fn copy_xattrs(from: BorrowedFd<'_>, to: &[u8], path: &[u8]) -> Result<()> {
    for (name, value) in read_xattrs(from, path)? {
        let set = fs::lsetxattr(to, name.as_slice(), &value, XattrFlags::empty());
        tolerate_unsupported(set).at("setxattr", path)?;
    }
    Ok(())
}

/// The extended attributes of a descriptor's object (`O_PATH` will do), but for those that are overlay's own.
pub(crate) fn read_xattrs(from: BorrowedFd<'_>, path: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let from = by_descriptor(from);
    let mut names = vec![0; VALUE_MAX];
    let length = match fs::listxattr(&from, &mut names) {
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        other => other.at("listxattr", path)?,
    };
    let names = names[..length].split(|&byte| byte == 0);
    let kept = names.filter(|name| !name.is_empty() && !name.starts_with(OVERLAY));
    kept.map(|name| {
        let mut value = vec![0; VALUE_MAX];
        let length = fs::getxattr(&from, name, &mut value).at("getxattr", path)?;
        value.truncate(length);
        Ok((name.to_vec(), value))
    })
    .collect()
}

/// A path to the very object of a descriptor, also of one opened with `O_PATH`, for calls that follow links.
pub(crate) fn by_descriptor(fd: BorrowedFd<'_>) -> Vec<u8> {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into_bytes()
}

/// A path to a name in a directory; the name itself is not followed by the `l…xattr` calls.
pub(crate) fn by_name(dir: BorrowedFd<'_>, name: &[u8]) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    path
}

fn owner(entry: &Entry) -> (Option<Uid>, Option<Gid>) {
    (entry.uid.map(Uid::from_raw), entry.gid.map(Gid::from_raw))
}

fn settable(xattrs: &[(Vec<u8>, Vec<u8>)]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = xattrs.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
    pairs.filter(|(name, _)| !name.starts_with(OVERLAY))
}

/// A filesystem without support for an attribute still runs the image, as everywhere else.
fn tolerate_unsupported(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match result {
        Err(Errno::NOTSUP) => Ok(()),
        other => other,
    }
}
