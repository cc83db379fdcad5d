use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RawDir, SeekFrom};
use rustix::io::Errno;

use crate::error::{Context, Result};
use crate::fd_stack::FdStack;
use crate::view::BENEATH;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const READ_BUFFER: usize = 16 << 10;
/// Subdirectories remembered per directory before they are visited, so that a directory of millions costs no memory.
const BATCH: usize = 256;

/// What is done on a walk through a tree, depth first. Names are relative to `dir`; nothing is followed.
pub(crate) trait Visitor {
    /// Anything but a directory.
    fn file(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<()>;
    /// A directory about to be walked.
    fn enter(&mut self, dir: BorrowedFd<'_>, name: &CStr, entered: BorrowedFd<'_>) -> Result<()>;
    /// A directory whose content was visited; `dir` is its parent again.
    fn leave(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<()>;
    /// A directory on which something else is mounted; it is not walked.
    fn mount_point(&mut self, name: &CStr) -> Result<()>;
}

/// Visits everything below `root`, not the root itself. Things that vanish or are replaced meanwhile are passed over.
pub(crate) fn walk(root: OwnedFd, visitor: &mut impl Visitor) -> Result<()> {
    let mut stack = FdStack::new(root).at("stat", b".")?;
    let mut levels = vec![Level::default()];
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.pending.pop() {
            if descend(&mut stack, &name, visitor)? {
                levels.push(Level::named(name));
            }
        } else if !level.exhausted {
            level.read(stack.top().at("read", b".")?, visitor)?;
        } else {
            let left = levels.pop();
            if let Some(name) = left.and_then(|level| level.name) {
                stack.pop().at("leave directory", name.to_bytes())?;
                visitor.leave(stack.top().at("leave directory", name.to_bytes())?, &name)?;
            }
        }
    }
    debug_assert_eq!(stack.depth(), 1);
    Ok(())
}

/// Where the walk stands in one directory.
#[derive(Default)]
struct Level {
    /// `None` for the root.
    name: Option<CString>,
    pending: Vec<CString>,
    /// The directory offset after the last entry taken.
    cookie: u64,
    exhausted: bool,
}

impl Level {
    fn named(name: CString) -> Self {
        Self { name: Some(name), ..Self::default() }
    }

    /// Visits files and collects directories, until a batch of those or the end.
    fn read(&mut self, dir: BorrowedFd<'_>, visitor: &mut impl Visitor) -> Result<()> {
        fs::seek(dir, SeekFrom::Start(self.cookie)).at("seek", b".")?;
        let mut buffer = [MaybeUninit::uninit(); READ_BUFFER];
        let mut entries = RawDir::new(dir, &mut buffer);
        while self.pending.len() < BATCH {
            let Some(entry) = entries.next() else {
                self.exhausted = true;
                return Ok(());
            };
            let entry = match entry {
                Err(Errno::NOENT) => {
                    self.exhausted = true;
                    return Ok(());
                }
                other => other.at("read directory", b".")?,
            };
            self.cookie = entry.next_entry_cookie();
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            match kind(dir, name, entry.file_type()) {
                Some(FileType::Directory) => self.pending.push(name.to_owned()),
                Some(_) => visitor.file(dir, name)?,
                None => {}
            }
        }
        Ok(())
    }
}

/// The type of an entry, asked for where the filesystem does not tell; `None` when it vanished.
fn kind(dir: BorrowedFd<'_>, name: &CStr, told: FileType) -> Option<FileType> {
    if told != FileType::Unknown {
        return Some(told);
    }
    let stat = fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(FileType::from_raw_mode(stat.st_mode))
}

fn descend(stack: &mut FdStack, name: &CStr, visitor: &mut impl Visitor) -> Result<bool> {
    let parent = stack.top().at("open", name.to_bytes())?;
    let entered = match fs::openat2(parent, name, DIRECTORY, Mode::empty(), BENEATH) {
        // Gone since it was read of; perhaps a file or a link has its name now.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(false),
        Err(Errno::XDEV) => return visitor.mount_point(name).map(|()| false),
        other => other.at("open directory", name.to_bytes())?,
    };
    visitor.enter(parent, name, std::os::fd::AsFd::as_fd(&entered))?;
    stack.push(entered).at("stat", name.to_bytes())?;
    Ok(true)
}
