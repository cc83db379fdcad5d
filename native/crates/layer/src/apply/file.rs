use std::os::fd::OwnedFd;

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

use super::{Applier, meta};
use crate::error::{Context, Result};
use crate::tarball::{Entry, Extent, Reader};
use crate::view::Place;

impl Applier {
    pub(super) fn file(
        &mut self,
        place: &Place,
        name: &[u8],
        (entry, extent, body): (&Entry, &Extent, &mut Reader<'_>),
    ) -> Result<()> {
        self.count_sparse(extent)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let create = || fs::openat(&*place.dir, name, flags, Mode::RUSR | Mode::WUSR);
        let file = self.replacing(place, name, create).at("create", &entry.name)?;
        write(&file, &entry.name, (extent, body))?;
        meta::set_by_descriptor(&file, entry)?;
        fs::futimens(&file, &meta::times(entry.mtime)).at("set times", &entry.name)
    }

    /// Holes cost the archive nothing, so their size is bounded here; dense bytes were counted with the stream.
    fn count_sparse(&mut self, extent: &Extent) -> Result<()> {
        let stored: u64 = extent.segments.iter().map(|&(_, length)| length).sum();
        self.sparse_bytes = self.sparse_bytes.saturating_add(extent.size - stored);
        self.limits.check_bytes(self.sparse_bytes, self.sparse_bytes)
    }
}

/// Writes straight out of the stream's chunks.
fn write(file: &OwnedFd, name: &[u8], (extent, body): (&Extent, &mut Reader<'_>)) -> Result<()> {
    let mut end = 0;
    for &(offset, length) in &extent.segments {
        end = offset;
        let segment_end = offset + length;
        while end < segment_end {
            let bytes = body.body()?;
            let count = usize::try_from(segment_end - end).map_or(bytes.len(), |left| left.min(bytes.len()));
            let written = write_at(file, &bytes[..count], end).at("write", name)?;
            body.consume(written);
            end += written as u64;
        }
    }
    if end != extent.size {
        fs::ftruncate(file, extent.size).at("truncate", name)?;
    }
    Ok(())
}

fn write_at(file: &OwnedFd, bytes: &[u8], offset: u64) -> rustix::io::Result<usize> {
    match rustix::io::pwrite(file, bytes, offset) {
        // A file system that takes nothing would make us spin.
        Ok(0) if !bytes.is_empty() => Err(Errno::IO),
        other => other,
    }
}
