use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use ttrpc::Status;

use crate::failure;
use crate::proto::{Empty, UnmountRequest};

/// Detaches everything mounted at the target, also what is stacked there, and everything below it.
pub fn unmount(request: &UnmountRequest) -> Result<Empty, Status> {
    let target = &request.target;
    failure::absolute("target", target)?;
    if target.trim_matches('/').is_empty() {
        return Err(failure::invalid("the root is not unmounted"));
    }
    detach(Path::new(target)).map_err(failure::on("unmount", target))?;
    let table = std::fs::read("/proc/self/mountinfo").map_err(failure::io("read", "/proc/self/mountinfo"))?;
    for point in points_below(&table, &real(Path::new(target))) {
        detach(&point).map_err(failure::on("unmount", point.display().to_string()))?;
    }
    Ok(Empty {})
}

/// As the mount table spells it: without links, but for the last name, which is never followed.
fn real(target: &Path) -> PathBuf {
    let parent = target.parent().and_then(|parent| parent.canonicalize().ok());
    match (parent, target.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => target.to_owned(),
    }
}

fn detach(point: &Path) -> rustix::io::Result<()> {
    loop {
        match rustix::mount::unmount(point, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            // Nothing is mounted there, or nothing is there.
            Err(Errno::INVAL | Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            Err(errno) => return Err(errno),
        }
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
