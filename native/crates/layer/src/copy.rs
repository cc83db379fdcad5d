use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Uid};
use rustix::io::Errno;

use crate::apply::meta;
use crate::error::{Context, Result};
use crate::fd_stack::FdStack;
use crate::path::PATH_MAX;
use crate::walk::{Visitor, walk};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const NODE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Copies what is in directory `from`, and the directory's own attributes, into the empty directory `to`: owners, modes,
/// times, extended attributes, links, devices, pipes and holes. Mounts below `from` are not entered.
///
/// # Errors
/// `Exhausted` for a full disk, `Io` otherwise; what was copied by then stays.
pub fn copy_tree(from: OwnedFd, to: OwnedFd) -> Result<()> {
    let stat = fs::fstat(&from).at("stat", b".")?;
    let root = from.try_clone().map_err(|_| Errno::MFILE).at("open", b".")?;
    let mut copier = Copier {
        root: to.try_clone().map_err(|_| Errno::MFILE).at("open", b".")?,
        targets: FdStack::new(to).at("stat", b".")?,
        sources: vec![stat],
        path: Vec::new(),
        linked: HashMap::new(),
    };
    walk(from, &mut copier)?;
    let target = copier.targets.top().at("open", b".")?;
    finish_directory((root.as_fd(), &stat), target, b".")
}

struct Copier {
    root: OwnedFd,
    targets: FdStack,
    /// Attributes of the directories from the root to here, given to the copies once those are filled.
    sources: Vec<Stat>,
    /// Path of the current directory from the root, for hard links.
    path: Vec<u8>,
    /// Where the first name of a linked inode was copied to.
    linked: HashMap<(u64, u64), CString>,
}

impl Visitor for Copier {
    fn file(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        let bytes = name.to_bytes();
        let node = match fs::openat(dir, name, NODE, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            other => other.at("open", bytes)?,
        };
        let stat = fs::fstat(&node).at("stat", bytes)?;
        let target = self.targets.top().at("open", bytes)?;
        if stat.st_nlink < 2 {
            return copy_node((node.as_fd(), &stat), (target, bytes));
        }
        if let Some(first) = self.linked.get(&(stat.st_dev, stat.st_ino)) {
            return fs::linkat(&self.root, first, target, name, AtFlags::empty()).at("link", bytes);
        }
        copy_node((node.as_fd(), &stat), (target, bytes))?;
        self.remember_link(&stat, bytes);
        Ok(())
    }

    fn enter(&mut self, _dir: BorrowedFd<'_>, name: &CStr, entered: BorrowedFd<'_>) -> Result<()> {
        let bytes = name.to_bytes();
        let target = self.targets.top().at("open", bytes)?;
        fs::mkdirat(target, name, Mode::RWXU).at("mkdir", bytes)?;
        let made = fs::openat(target, name, DIRECTORY, Mode::empty()).at("open directory", bytes)?;
        let stat = fs::fstat(entered).at("stat", bytes)?;
        finish_directory((entered, &stat), made.as_fd(), bytes)?;
        self.targets.push(made).at("stat", bytes)?;
        self.sources.push(stat);
        self.path.extend_from_slice(bytes);
        self.path.push(b'/');
        Ok(())
    }

    fn leave(&mut self, _dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        let bytes = name.to_bytes();
        if let Some(stat) = self.sources.pop() {
            let target = self.targets.top().at("open", bytes)?;
            fs::futimens(target, &meta::times(meta::mtime_of(&stat))).at("set times", bytes)?;
        }
        self.targets.pop().at("leave directory", bytes)?;
        self.path.truncate(self.path.len() - bytes.len() - 1);
        Ok(())
    }

    fn mount_point(&mut self, _name: &CStr) -> Result<()> {
        Ok(())
    }
}

impl Copier {
    /// Names too deep to be linked to by path are copied each on their own.
    fn remember_link(&mut self, stat: &Stat, name: &[u8]) {
        let path = [self.path.as_slice(), name].concat();
        if path.len() <= PATH_MAX
            && let Ok(path) = CString::new(path)
        {
            self.linked.insert((stat.st_dev, stat.st_ino), path);
        }
    }
}

fn finish_directory((from, stat): (BorrowedFd<'_>, &Stat), to: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    meta::copy_directory(from, stat, to, name)?;
    fs::futimens(to, &meta::times(meta::mtime_of(stat))).at("set times", name)
}

/// Copies one thing that is not a directory, given by an `O_PATH` descriptor, to a new name.
pub(crate) fn copy_node((node, stat): (BorrowedFd<'_>, &Stat), (dir, name): (BorrowedFd<'_>, &[u8])) -> Result<()> {
    let kind = FileType::from_raw_mode(stat.st_mode);
    match kind {
        FileType::RegularFile => copy_file((node, stat), (dir, name))?,
        FileType::Symlink => {
            let target = fs::readlinkat(node, c"", Vec::new()).at("readlink", name)?;
            fs::symlinkat(&target, dir, name).at("symlink", name)?;
        }
        kind => fs::mknodat(dir, name, kind, Mode::RUSR | Mode::WUSR, stat.st_rdev).at("mknod", name)?,
    }
    copy_attributes((node, stat), (dir, name))
}

fn copy_attributes((node, stat): (BorrowedFd<'_>, &Stat), (dir, name): (BorrowedFd<'_>, &[u8])) -> Result<()> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).at("chown", name)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        fs::chmodat(dir, name, mode, AtFlags::empty()).at("chmod", name)?;
        meta::copy_xattrs(node, &meta::by_name(dir, name), name)?;
    }
    meta::set_times_by_name(dir, name, meta::mtime_of(stat)).at("set times", name)
}

fn copy_file((node, stat): (BorrowedFd<'_>, &Stat), (dir, name): (BorrowedFd<'_>, &[u8])) -> Result<()> {
    // The magic link opens the very inode that was looked at, and nothing else.
    let source = meta::by_descriptor(node);
    let from = fs::open(source, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).at("open", name)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let to = fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR).at("create", name)?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    copy_segments(&from, &to, size).at("copy", name)?;
    fs::ftruncate(&to, size).at("truncate", name)
}

/// Copies the parts that hold data and leaves the holes.
fn copy_segments(from: &OwnedFd, to: &OwnedFd, size: u64) -> rustix::io::Result<()> {
    let mut position = 0;
    while position < size {
        let start = match fs::seek(from, SeekFrom::Data(position)) {
            // Only a hole is left.
            Err(Errno::NXIO) => return Ok(()),
            other => other?,
        };
        let end = fs::seek(from, SeekFrom::Hole(start))?.min(size);
        copy_range((from, to), start, end)?;
        position = end.max(start + 1);
    }
    Ok(())
}

fn copy_range((from, to): (&OwnedFd, &OwnedFd), start: u64, end: u64) -> rustix::io::Result<()> {
    let (mut source, mut target) = (start, start);
    while source < end {
        let left = usize::try_from(end - source).unwrap_or(usize::MAX);
        match fs::copy_file_range(from, Some(&mut source), to, Some(&mut target), left) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Between filesystems, or on one that cannot.
            Err(Errno::XDEV | Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP) => {
                return copy_by_buffer((from, to), source, end);
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn copy_by_buffer((from, to): (&OwnedFd, &OwnedFd), mut position: u64, end: u64) -> rustix::io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    while position < end {
        let want = usize::try_from(end - position).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = rustix::io::pread(from, &mut buffer[..want], position)?;
        if read == 0 {
            return Ok(());
        }
        let mut done = 0;
        while done < read {
            done += rustix::io::pwrite(to, &buffer[done..read], position + done as u64)?;
        }
        position += read as u64;
    }
    Ok(())
}
