//! A reader of tar streams (V7, ustar, GNU, PAX) that bounds every allocation an archive could ask for.

mod header;
mod number;
mod pax;
mod reader;
mod sparse;

pub(crate) use reader::Reader;

use rustix::fs::Timespec;

/// One member of an archive with all its extension headers applied. Numbers are checked, names are raw bytes.
#[derive(Debug)]
pub(crate) struct Entry {
    pub name: Vec<u8>,
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// `None` for the id -1, which chown(2) takes for "as it is".
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub mtime: Timespec,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    File(Extent),
    /// The body of the archive member of this name.
    HardLink(Vec<u8>),
    Symlink(Vec<u8>),
    Directory,
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
}

/// Where a file's bytes go: `segments` of (offset, length) follow each other in the stream, the rest are holes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub size: u64,
    pub segments: Vec<(u64, u64)>,
}

impl Extent {
    pub fn dense(size: u64) -> Self {
        Self { size, segments: vec![(0, size)] }
    }
}
