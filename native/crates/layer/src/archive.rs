use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::{self, BufWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use tar::{Builder, EntryType, Header};

use crate::apply::meta;
use crate::error::{Context, LayerError, Result, classify, show};
use crate::walk::{Visitor, walk};

const FILE: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
const NODE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const BUFFER: usize = 256 << 10;
/// What marks an attribute's name in a PAX header.
const XATTR: &str = "SCHILY.xattr.";

/// What an archive is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tree {
    /// Files as they are.
    Plain,
    /// The upper directory of an overlay mount: what it hides becomes whiteouts, so that the archive is an image layer.
    OverlayUpper,
}

/// Writes what is in a directory as a tar file: owners, modes, times in seconds, extended attributes, hard links, symlinks,
/// devices and pipes; no sockets, which nobody can listen on again. Mounts below are not entered. The file is new,
/// readable by its owner alone and on disk on return.
///
/// # Errors
/// `Exhausted` for a full disk, `Io` otherwise; nothing is left at `target` then.
pub fn archive(dir: &Path, target: &Path, tree: Tree) -> Result<()> {
    let name = target.as_os_str().as_bytes();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = File::from(fs::open(target, flags, Mode::RUSR | Mode::WUSR).at("create", name)?);
    let result = write(dir, file, tree);
    if result.is_err() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(target);
    }
    result
}

fn write(dir: &Path, file: File, tree: Tree) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = fs::open(dir, flags, Mode::empty()).at("open directory", dir.as_os_str().as_bytes())?;
    let tar = Builder::new(BufWriter::with_capacity(BUFFER, file));
    let mut archiver = Archiver { tar, tree, path: Vec::new(), linked: HashMap::new() };
    walk(root, &mut archiver)?;
    let done = archiver.tar.into_inner().and_then(|buffer| buffer.into_inner().map_err(io::Error::from));
    let file = done.map_err(|error| failed(b".", &error))?;
    fs::fsync(&file).at("sync", b".")
}

struct Archiver {
    tar: Builder<BufWriter<File>>,
    tree: Tree,
    /// Path of the current directory from the root, with a slash at its end.
    path: Vec<u8>,
    /// The name under which a linked inode was written first.
    linked: HashMap<(u64, u64), PathBuf>,
}

impl Visitor for Archiver {
    fn file(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        let bytes = name.to_bytes();
        let stat = match fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            other => other.at("stat", bytes)?,
        };
        let path = self.path_of(bytes);
        if self.tree == Tree::OverlayUpper && meta::is_whiteout(&stat) {
            let hidden = [b".wh.", bytes].concat();
            return self.empty(&self.path_of(&hidden));
        }
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Socket {
            return Ok(());
        }
        if stat.st_nlink > 1 {
            if let Some(first) = self.linked.get(&(stat.st_dev, stat.st_ino)).cloned() {
                return self.link(EntryType::Link, &stat, (&path, &first));
            }
            self.linked.insert((stat.st_dev, stat.st_ino), path.clone());
        }
        let node = fs::openat(dir, name, NODE, Mode::empty()).at("open", bytes)?;
        self.attributes(node.as_fd(), bytes)?;
        match kind {
            FileType::Symlink => {
                let target = fs::readlinkat(dir, name, Vec::new()).at("read link", bytes)?;
                self.link(EntryType::Symlink, &stat, (&path, Path::new(OsStr::from_bytes(target.to_bytes()))))
            }
            FileType::CharacterDevice => self.node(EntryType::Char, &stat, &path),
            FileType::BlockDevice => self.node(EntryType::Block, &stat, &path),
            FileType::Fifo => self.node(EntryType::Fifo, &stat, &path),
            _ => self.content(dir, name, &path),
        }
    }

    fn enter(&mut self, _dir: BorrowedFd<'_>, name: &CStr, entered: BorrowedFd<'_>) -> Result<()> {
        let bytes = name.to_bytes();
        let path = self.path_of(bytes);
        self.attributes(entered, bytes)?;
        let stat = fs::fstat(entered).at("stat", bytes)?;
        self.node(EntryType::Directory, &stat, &path)?;
        self.path.extend_from_slice(bytes);
        self.path.push(b'/');
        if self.tree == Tree::OverlayUpper && meta::is_opaque(entered) {
            return self.empty(&self.path_of(b".wh..wh..opq"));
        }
        Ok(())
    }

    fn leave(&mut self, _dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        self.path.truncate(self.path.len() - name.to_bytes().len() - 1);
        Ok(())
    }

    fn mount_point(&mut self, _name: &CStr) -> Result<()> {
        Ok(())
    }
}

impl Archiver {
    fn path_of(&self, name: &[u8]) -> PathBuf {
        PathBuf::from(OsStr::from_bytes(&[self.path.as_slice(), name].concat()))
    }

    /// A file may shrink or grow while it is read: it gets the size that its header says.
    fn content(&mut self, dir: BorrowedFd<'_>, name: &CStr, path: &Path) -> Result<()> {
        let file = fs::openat(dir, name, FILE, Mode::empty()).at("open", name.to_bytes())?;
        let stat = fs::fstat(&file).at("stat", name.to_bytes())?;
        let mut header = header(EntryType::Regular, &stat);
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        header.set_size(size);
        let padded = io::Read::chain(File::from(file), io::repeat(0));
        let written = self.tar.append_data(&mut header, path, io::Read::take(padded, size));
        written.map_err(|error| failed(path.as_os_str().as_bytes(), &error))
    }

    fn link(&mut self, kind: EntryType, stat: &Stat, (path, target): (&Path, &Path)) -> Result<()> {
        let written = self.tar.append_link(&mut header(kind, stat), path, target);
        written.map_err(|error| failed(path.as_os_str().as_bytes(), &error))
    }

    fn node(&mut self, kind: EntryType, stat: &Stat, path: &Path) -> Result<()> {
        let mut header = header(kind, stat);
        if matches!(kind, EntryType::Char | EntryType::Block) {
            let numbers = header.set_device_major(fs::major(stat.st_rdev));
            numbers
                .and_then(|()| header.set_device_minor(fs::minor(stat.st_rdev)))
                .map_err(|error| failed(path.as_os_str().as_bytes(), &error))?;
        }
        let written = self.tar.append_data(&mut header, path, io::empty());
        written.map_err(|error| failed(path.as_os_str().as_bytes(), &error))
    }

    fn empty(&mut self, path: &Path) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(0);
        let written = self.tar.append_data(&mut header, path, io::empty());
        written.map_err(|error| failed(path.as_os_str().as_bytes(), &error))
    }

    /// The extended attributes of the entry that follows, but for those that are overlay's own.
    fn attributes(&mut self, node: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
        let found = meta::read_xattrs(node, name)?;
        let records = found
            .iter()
            .filter_map(|(key, value)| Some((format!("{XATTR}{}", std::str::from_utf8(key).ok()?), value.as_slice())));
        let records: Vec<(String, &[u8])> = records.collect();
        if records.is_empty() {
            return Ok(());
        }
        let written = self.tar.append_pax_extensions(records.iter().map(|(key, value)| (key.as_str(), *value)));
        written.map_err(|error| failed(name, &error))
    }
}

fn header(kind: EntryType, stat: &Stat) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(u64::from(stat.st_uid));
    header.set_gid(u64::from(stat.st_gid));
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(0);
    header
}

fn failed(path: &[u8], error: &io::Error) -> LayerError {
    match Errno::from_io_error(error) {
        Some(errno) => classify("archive", path, errno),
        None => LayerError::Invalid(format!("archive {}: {error}", show(path))),
    }
}
