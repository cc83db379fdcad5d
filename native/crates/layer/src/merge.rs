use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::apply::meta;
use crate::error::{Context, Result};
use crate::fd_stack::FdStack;
use crate::remove::remove_at;
use crate::walk::{Visitor, walk};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Carries out on the tree `into` what the overlay layer directory `layer` says: its files are moved there, in the place
/// of what has their names, directories get its attributes, and what it marks as deleted is removed. Both are on one
/// filesystem; the layer's directories stay. The filesystem is synced.
///
/// # Errors
/// `Exhausted` for a full disk, `Io` otherwise; the tree is of no use then.
pub fn merge_layer(layer: &Path, into: &Path) -> Result<()> {
    let open = |path: &Path| fs::open(path, DIRECTORY, Mode::empty()).at("open", path.as_os_str().as_encoded_bytes());
    let (from, to) = (open(layer)?, open(into)?);
    let root = fs::fstat(&from).at("stat", b".")?;
    let attributes = open(layer)?;
    let mut merger = Merger { targets: FdStack::new(to).at("stat", b".")?, sources: Vec::new() };
    walk(from, &mut merger)?;
    let target = merger.targets.top().at("open", b".")?;
    finish((attributes.as_fd(), &root), target, b".")?;
    fs::syncfs(target).at("sync", b".")
}

struct Merger {
    targets: FdStack,
    /// Attributes of the layer's directories below the root, whose times are set once they are filled.
    sources: Vec<Stat>,
}

impl Visitor for Merger {
    fn file(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        let bytes = name.to_bytes();
        let stat = fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).at("stat", bytes)?;
        let target = self.targets.top().at("open", bytes)?;
        // A file does not replace a directory by a rename, and two names of one inode are not renamed to each other.
        remove_at(target, bytes)?;
        if meta::is_whiteout(&stat) {
            return Ok(());
        }
        fs::renameat(dir, name, target, name).at("move", bytes)
    }

    fn enter(&mut self, _dir: BorrowedFd<'_>, name: &CStr, entered: BorrowedFd<'_>) -> Result<()> {
        let bytes = name.to_bytes();
        let layer = entered.try_clone_to_owned().map_err(|_| Errno::MFILE).at("open", bytes)?;
        let stat = fs::fstat(&layer).at("stat", bytes)?;
        let made = self.directory(name, meta::is_opaque(&layer))?;
        finish((layer.as_fd(), &stat), made.as_fd(), bytes)?;
        self.targets.push(made).at("stat", bytes)?;
        self.sources.push(stat);
        Ok(())
    }

    fn leave(&mut self, _dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        let bytes = name.to_bytes();
        if let Some(stat) = self.sources.pop() {
            let target = self.targets.top().at("open", bytes)?;
            fs::futimens(target, &meta::times(meta::mtime_of(&stat))).at("set times", bytes)?;
        }
        self.targets.pop().at("leave directory", bytes)
    }

    fn mount_point(&mut self, _name: &CStr) -> Result<()> {
        Ok(())
    }
}

impl Merger {
    /// The directory of that name in the tree, emptied if the layer hides what was in it.
    fn directory(&self, name: &CStr, is_opaque: bool) -> Result<OwnedFd> {
        let bytes = name.to_bytes();
        let target = self.targets.top().at("open", bytes)?;
        if is_opaque || !is_directory(target, name) {
            remove_at(target, bytes)?;
            fs::mkdirat(target, name, Mode::RWXU).at("mkdir", bytes)?;
        }
        fs::openat(target, name, DIRECTORY, Mode::empty()).at("open directory", bytes)
    }
}

fn is_directory(dir: BorrowedFd<'_>, name: &CStr) -> bool {
    let stat = fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
    stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

fn finish((from, stat): (BorrowedFd<'_>, &Stat), to: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    meta::copy_directory(from, stat, to, name)?;
    fs::futimens(to, &meta::times(meta::mtime_of(stat))).at("set times", name)
}
