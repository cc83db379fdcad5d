use std::os::fd::OwnedFd;

use rustix::fs::{self, Mode, OFlags, ResolveFlags};

pub(crate) const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);
pub(super) const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The directory at a clean path below a root, free of symlinks.
pub(super) fn open_directory(root: &OwnedFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    if path.is_empty() {
        return fs::openat(root, c".", DIRECTORY, Mode::empty());
    }
    fs::openat2(root, path, DIRECTORY, Mode::empty(), BENEATH)
}
