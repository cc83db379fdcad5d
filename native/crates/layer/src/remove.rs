use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Context, LayerError, Result, show};
use crate::walk::{Visitor, walk};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Somebody may still write into a tree that is being removed; after so many rounds that is an error.
const ROUNDS: usize = 4;

/// Removes whatever is at `path`, without following links or crossing into mounts. Absent is success.
///
/// # Errors
/// `Io` with `EBUSY` where something is mounted at or below the path; what could be removed by then is gone.
pub fn remove_tree(path: &Path) -> Result<()> {
    remove_at(CWD, path.as_os_str().as_encoded_bytes())
}

/// Removes everything in the directory at `path` but keeps the directory.
///
/// # Errors
/// As [`remove_tree`], and `NotFound`.
pub fn empty_dir(path: &Path) -> Result<()> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let dir = fs::open(path, DIRECTORY, Mode::empty()).at("open directory", bytes)?;
    walk(dir, &mut Remover)
}

/// Removes whatever `name` is in `dir`.
pub(crate) fn remove_at(dir: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    let stat = match fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        other => other.at("stat", name)?,
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return absent_is_fine(fs::unlinkat(dir, name, AtFlags::empty())).at("unlink", name);
    }
    for _ in 1..ROUNDS {
        let Some(tree) = open(dir, name)? else {
            return Ok(());
        };
        walk(tree, &mut Remover)?;
        match fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY) => {}
            other => return absent_is_fine(other).at("rmdir", name),
        }
    }
    fs::unlinkat(dir, name, AtFlags::REMOVEDIR).at("rmdir", name)
}

fn open(dir: BorrowedFd<'_>, name: &[u8]) -> Result<Option<OwnedFd>> {
    match fs::openat(dir, name, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => Ok(None),
        other => other.at("open directory", name).map(Some),
    }
}

fn absent_is_fine(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

struct Remover;

impl Visitor for Remover {
    fn file(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        absent_is_fine(fs::unlinkat(dir, name, AtFlags::empty())).at("unlink", name.to_bytes())
    }

    fn enter(&mut self, _dir: BorrowedFd<'_>, _name: &CStr, _entered: BorrowedFd<'_>) -> Result<()> {
        Ok(())
    }

    fn leave(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        match fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
            // Left to the next round, which the parent's own ENOTEMPTY will cause.
            Err(Errno::NOTEMPTY) => Ok(()),
            other => absent_is_fine(other).at("rmdir", name.to_bytes()),
        }
    }

    fn mount_point(&mut self, name: &CStr) -> Result<()> {
        Err(LayerError::Io { op: "remove (unmount it first)", path: show(name.to_bytes()), errno: Errno::BUSY })
    }
}
