use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::{Errno, Result};
use rustix::mount::{UnmountFlags, unmount};

use crate::error::{MountError, at};

/// Detaches everything that is stacked at `target`, which is not followed if it is a link; nothing there is success.
///
/// # Errors
/// That of umount2(2).
pub fn detach(target: &Path) -> Result<()> {
    loop {
        match once(target) {
            Ok(()) => {}
            // Nothing is mounted there (any more), or nothing is there.
            Err(Errno::INVAL | Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
}

pub(crate) fn once(target: &Path) -> Result<()> {
    unmount(target, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
}

/// Detaches everything mounted at the target, also what is stacked there, and everything below it.
///
/// # Errors
/// That of umount2(2) with its mount point, and that of reading the mount table.
pub fn detach_tree(target: &Path) -> std::result::Result<(), MountError> {
    detach(target).map_err(at("unmount", target.display()))?;
    let table = std::fs::read("/proc/self/mountinfo")
        .map_err(|error| at("read", "/proc/self/mountinfo")(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    for point in points_below(&table, &real(target)) {
        detach(&point).map_err(at("unmount", point.display()))?;
    }
    Ok(())
}

/// As the mount table spells it: without links, but for the last name, which is never followed.
fn real(target: &Path) -> PathBuf {
    let parent = target.parent().and_then(|parent| parent.canonicalize().ok());
    match (parent, target.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => target.to_owned(),
    }
}

/// The mount points strictly below a path. Detaching one takes along what is mounted on it, so each is tried once.
fn points_below(table: &[u8], path: &Path) -> Vec<PathBuf> {
    let lines = table.split(|&byte| byte == b'\n');
    let points = lines.filter_map(|line| line.split(|&byte| byte == b' ').nth(4)).map(unescape);
    points.filter(|point| point != path && point.starts_with(path)).collect()
}

/// Spaces, tabs, newlines and backslashes are written as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (byte, escaped) {
            (b'\\', Some(value)) => {
                path.push(value);
                rest = &tail[3..];
            }
            _ => {
                path.push(byte);
                rest = tail;
            }
        }
    }
    OsStr::from_bytes(&path).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_below_a_path_are_found_by_whole_names() {
        let table = b"1 2 0:1 / /a rw - t s rw\n2 1 0:1 / /a/b\\040c rw - t s rw\n3 1 0:1 / /ab rw - t s rw\n";
        assert_eq!(points_below(table, Path::new("/a")), [PathBuf::from("/a/b c")]);
        assert!(points_below(table, Path::new("/x")).is_empty());
    }
}
