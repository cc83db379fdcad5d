use std::ffi::CString;
use std::os::fd::OwnedFd;

use rustix::fs::{self, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::beneath::{BENEATH, DIRECTORY};
use crate::apply::meta;
use crate::error::{Context, Result};

const NODE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The layers below, topmost first, as overlay will merge them.
pub(super) struct Parents(Vec<OwnedFd>);

/// A node of the layers below.
pub(super) struct Below {
    pub node: OwnedFd,
    pub stat: Stat,
}

impl Parents {
    pub fn new(dirs: Vec<OwnedFd>) -> Self {
        Self(dirs)
    }

    pub fn top(&self) -> Option<&OwnedFd> {
        self.0.first()
    }

    /// Looks a resolved path up in the layers below, topmost first, honouring whiteouts and opaque directories.
    pub fn find(&self, path: &[u8]) -> Result<Option<Below>> {
        for parent in &self.0 {
            match find_in(parent, path).at("look up in a parent layer", path)? {
                InParent::Found(below) => return Ok(Some(below)),
                InParent::Hidden => return Ok(None),
                InParent::Absent => {}
            }
        }
        Ok(None)
    }
}

impl Below {
    pub fn is_directory(&self) -> bool {
        FileType::from_raw_mode(self.stat.st_mode) == FileType::Directory
    }

    pub fn link_target(&self) -> Option<Vec<u8>> {
        let is_link = FileType::from_raw_mode(self.stat.st_mode) == FileType::Symlink;
        let target = is_link.then(|| fs::readlinkat(&self.node, c"", Vec::new()));
        target?.ok().map(CString::into_bytes)
    }
}

enum InParent {
    Found(Below),
    /// The layer says that the path exists neither in it nor below it.
    Hidden,
    Absent,
}

fn find_in(parent: &OwnedFd, path: &[u8]) -> rustix::io::Result<InParent> {
    let mut current = fs::openat(parent, c".", NODE, Mode::empty())?;
    let mut opaque = meta::is_opaque(parent);
    let mut names = path.split(|&byte| byte == b'/').peekable();
    while let Some(name) = names.next() {
        let node = match fs::openat2(&current, name, NODE, Mode::empty(), BENEATH) {
            Err(Errno::NOENT) if opaque => return Ok(InParent::Hidden),
            Err(Errno::NOENT) => return Ok(InParent::Absent),
            other => other?,
        };
        let stat = fs::fstat(&node)?;
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if meta::is_whiteout(&stat) || (names.peek().is_some() && !is_directory) {
            return Ok(InParent::Hidden);
        }
        if names.peek().is_none() {
            return Ok(InParent::Found(Below { node, stat }));
        }
        opaque |= meta::is_opaque(&fs::openat(&node, c".", DIRECTORY, Mode::empty())?);
        current = node;
    }
    Ok(InParent::Absent)
}
