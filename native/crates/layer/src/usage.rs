use std::collections::HashSet;
use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::error::{Context, LayerError, Result};
use crate::walk::{Visitor, walk};

/// What a tree takes on its filesystem.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Allocated bytes, which a sparse file has few of.
    pub bytes: u64,
    pub inodes: u64,
}

/// A live tree may be rearranged under the walk; then it starts anew, so many times.
const ATTEMPTS: usize = 3;

/// Measures the tree at `path`, the path included; each inode counts once however many names it has. Mounts below are
/// not entered. Absent counts zero.
///
/// # Errors
/// `Io` as the kernel gives them.
pub fn disk_usage(path: &Path) -> Result<Usage> {
    for _ in 1..ATTEMPTS {
        match measure(path) {
            Err(LayerError::Io { errno: Errno::STALE, .. }) => {}
            other => return other,
        }
    }
    measure(path)
}

fn measure(path: &Path) -> Result<Usage> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let mut meter = Meter::default();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match fs::open(path, flags, Mode::empty()) {
        Ok(root) => {
            meter.count(&fs::fstat(&root).at("stat", bytes)?);
            walk(root, &mut meter)?;
        }
        Err(Errno::NOENT) => {}
        Err(Errno::NOTDIR | Errno::LOOP) => meter.count(&fs::lstat(path).at("stat", bytes)?),
        Err(errno) => return Err(errno).at("open directory", bytes),
    }
    Ok(meter.usage)
}

#[derive(Default)]
struct Meter {
    usage: Usage,
    linked: HashSet<(u64, u64)>,
}

impl Meter {
    fn count(&mut self, stat: &Stat) {
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if !is_directory && stat.st_nlink > 1 && !self.linked.insert((stat.st_dev, stat.st_ino)) {
            return;
        }
        self.usage.bytes += u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
        self.usage.inodes += 1;
    }
}

impl Visitor for Meter {
    fn file(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        match fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => self.count(&stat),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno).at("stat", name.to_bytes()),
        }
        Ok(())
    }

    fn enter(&mut self, _dir: BorrowedFd<'_>, name: &CStr, entered: BorrowedFd<'_>) -> Result<()> {
        self.count(&fs::fstat(entered).at("stat", name.to_bytes())?);
        Ok(())
    }

    fn leave(&mut self, _dir: BorrowedFd<'_>, _name: &CStr) -> Result<()> {
        Ok(())
    }

    fn mount_point(&mut self, _name: &CStr) -> Result<()> {
        Ok(())
    }
}
