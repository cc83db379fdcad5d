use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

/// Descriptors kept open at most; deeper trees give up the outermost ones and come back to them through `..`.
const KEPT: usize = 128;

/// The chain of open directories from a tree's root to where a walk stands. Trees of any depth fit: containers can nest
/// directories beyond every path and descriptor limit.
pub(crate) struct FdStack {
    levels: Vec<Level>,
}

struct Level {
    fd: Option<OwnedFd>,
    device: u64,
    inode: u64,
}

impl FdStack {
    pub fn new(root: OwnedFd) -> rustix::io::Result<Self> {
        let mut stack = Self { levels: Vec::new() };
        stack.push(root)?;
        Ok(stack)
    }

    pub fn depth(&self) -> usize {
        self.levels.len()
    }

    /// The innermost directory. There is always one: the root is never popped.
    pub fn top(&self) -> rustix::io::Result<BorrowedFd<'_>> {
        let top = self.levels.last().and_then(|level| level.fd.as_ref());
        top.map(AsFd::as_fd).ok_or(Errno::BADF)
    }

    pub fn push(&mut self, directory: OwnedFd) -> rustix::io::Result<()> {
        let stat = fs::fstat(&directory)?;
        self.levels.push(Level { fd: Some(directory), device: stat.st_dev, inode: stat.st_ino });
        if let Some(far) = self.levels.len().checked_sub(KEPT + 1) {
            self.levels[far].fd = None;
        }
        Ok(())
    }

    /// Leaves the innermost directory. Fails with `ESTALE` when it was moved meanwhile and its parent is another now.
    pub fn pop(&mut self) -> rustix::io::Result<()> {
        let Some(left) = self.levels.pop() else {
            return Err(Errno::BADF);
        };
        let (Some(parent), Some(child)) = (self.levels.last_mut(), left.fd) else {
            return Err(Errno::BADF);
        };
        if parent.fd.is_some() {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let reopened = fs::openat(&child, c"..", flags, Mode::empty())?;
        let stat = fs::fstat(&reopened)?;
        if (stat.st_dev, stat.st_ino) != (parent.device, parent.inode) {
            return Err(Errno::STALE);
        }
        parent.fd = Some(reopened);
        Ok(())
    }
}
