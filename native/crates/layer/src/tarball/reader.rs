use rustix::fs::Timespec;

use super::header::{BLOCK, Header};
use super::pax::Pax;
use super::sparse::{self, DataMap};
use super::{Entry, Extent, Kind};
use crate::error::{Result, invalid, show};
use crate::pipeline::{Stream, truncated};

/// Largest long name or PAX header that is read into memory, as in the reference implementations.
const MAX_META: u64 = 1 << 20;

/// Yields the entries of an archive; the body of a file must be taken before the next entry, what is left is skipped.
pub(crate) struct Reader<'a> {
    stream: &'a mut Stream,
    /// Bytes of the current body not yet taken.
    left: u64,
    padding: u64,
}

/// The extension headers seen before an entry.
#[derive(Default)]
struct Extensions {
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    pax: Option<Pax>,
}

impl<'a> Reader<'a> {
    pub fn new(stream: &'a mut Stream) -> Self {
        Self { stream, left: 0, padding: 0 }
    }

    /// The next entry, or `None` at the archive's end. `on_header` is called for each header, extensions included.
    pub fn next(&mut self, mut on_header: impl FnMut() -> Result<()>) -> Result<Option<Entry>> {
        let mut extensions = Extensions::default();
        loop {
            self.stream.skip(self.left)?;
            // umoci and others leave the last member unpadded, and write no end mark.
            let padded = self.stream.skip_some(self.padding)?;
            (self.left, self.padding) = (0, 0);
            let mut block = [0; BLOCK];
            if !padded || !self.stream.read_exact(&mut block)? {
                return Ok(None);
            }
            on_header()?;
            let Some(header) = Header::parse(&block)? else {
                return self.end();
            };
            if !self.take_extension(&header, &mut extensions)? {
                return self.entry(&header, extensions).map(Some);
            }
        }
    }

    /// Some of the current body's bytes, waiting for them; empty when all were taken.
    pub fn body(&mut self) -> Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let bytes = self.stream.fill()?;
        if bytes.is_empty() {
            return truncated();
        }
        let count = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        Ok(&bytes[..count])
    }

    /// Drops `count` of the bytes that [`Self::body`] returned.
    pub fn consume(&mut self, count: usize) {
        self.left -= count as u64;
        self.stream.consume(count);
    }

    /// An archive ends with two blocks of zeros; one is tolerated at the very end of the stream.
    fn end(&mut self) -> Result<Option<Entry>> {
        let mut block = [0; BLOCK];
        if self.stream.read_exact(&mut block)? && Header::parse(&block)?.is_some() {
            return invalid("the archive continues after its end mark");
        }
        Ok(None)
    }

    fn take_extension(&mut self, header: &Header<'_>, extensions: &mut Extensions) -> Result<bool> {
        match header.kind() {
            b'L' => extensions.long_name = Some(self.meta_text(header)?),
            b'K' => extensions.long_link = Some(self.meta_text(header)?),
            // Of two in a row the later one counts, alone, as for the field's reader.
            b'x' => extensions.pax = Some(Pax::parse(&self.meta(header)?)?),
            // Global headers carry comments (git's commit id); no writer of layers puts facts there.
            b'g' => drop(self.meta(header)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn meta(&mut self, header: &Header<'_>) -> Result<Vec<u8>> {
        let size = header.size()?;
        if size > MAX_META {
            return invalid(format!("the archive holds an extension header of {size} bytes"));
        }
        let mut data = vec![0; size as usize];
        if !data.is_empty() && !self.stream.read_exact(&mut data)? {
            return truncated();
        }
        self.padding = padding(size);
        Ok(data)
    }

    fn meta_text(&mut self, header: &Header<'_>) -> Result<Vec<u8>> {
        let mut text = self.meta(header)?;
        if let Some(end) = text.iter().position(|&byte| byte == 0) {
            text.truncate(end);
        }
        Ok(text)
    }

    fn entry(&mut self, header: &Header<'_>, extensions: Extensions) -> Result<Entry> {
        let Extensions { long_name, long_link, pax } = extensions;
        let pax = pax.unwrap_or_default();
        let sparse_name = pax.sparse.name.clone().filter(|_| pax.sparse.is_sparse());
        let name = sparse_name.or(long_name).or(pax.path.clone());
        let name = name.unwrap_or_else(|| header.name());
        let link = long_link.or(pax.link_path.clone());
        let link = link.unwrap_or_else(|| header.link_name());
        Ok(Entry {
            kind: self.kind(header, &pax, (&name, link))?,
            mode: (header.mode()? & 0o7777) as u32,
            uid: owner(pax.uid.map_or_else(|| header.uid(), Ok)?)?,
            gid: owner(pax.gid.map_or_else(|| header.gid(), Ok)?)?,
            mtime: pax.mtime.map_or_else(|| header_time(header), Ok)?,
            xattrs: pax.xattrs.into_iter().collect(),
            name,
        })
    }

    fn kind(&mut self, header: &Header<'_>, pax: &Pax, (name, link): (&[u8], Vec<u8>)) -> Result<Kind> {
        match header.kind() {
            // Before ustar a directory was a file whose name ends with a slash.
            0 if name.ends_with(b"/") => Ok(Kind::Directory),
            0 | b'0' | b'7' | b'S' => self.extent(header, pax).map(Kind::File),
            b'1' => Ok(Kind::HardLink(link)),
            b'2' => Ok(Kind::Symlink(link)),
            b'3' => header.device().map(|(major, minor)| Kind::CharDevice(major, minor)),
            b'4' => header.device().map(|(major, minor)| Kind::BlockDevice(major, minor)),
            b'5' => Ok(Kind::Directory),
            b'6' => Ok(Kind::Fifo),
            other => invalid(format!("{} has the unknown entry type {}", show(name), show(&[other]))),
        }
    }

    /// Opens the body of a file. Only files have one: writers may put a link's target size into the size field.
    fn extent(&mut self, header: &Header<'_>, pax: &Pax) -> Result<Extent> {
        let stored = pax.size.map_or_else(|| header.size(), Ok)?;
        let slots = self.gnu_slots(header)?;
        (self.left, self.padding) = (stored, padding(stored));
        if header.kind() == b'S' {
            return sparse::extent(slots, header.gnu_real_size()?, self.left);
        }
        if !pax.sparse.is_sparse() {
            return Ok(Extent::dense(stored));
        }
        let segments = if pax.sparse.map_is_in_data() { self.data_map()? } else { pax.sparse.segments()? };
        sparse::extent(segments, pax.sparse.size()?, self.left)
    }

    /// The old GNU map: four slots in the header, more in continuation blocks before the data.
    fn gnu_slots(&mut self, header: &Header<'_>) -> Result<Vec<(u64, u64)>> {
        let mut segments = Vec::new();
        if header.kind() != b'S' {
            return Ok(segments);
        }
        sparse::read_slots(header.gnu_sparse_slots(), &mut segments)?;
        let mut continues = header.gnu_sparse_continues();
        while continues {
            let mut block = [0; BLOCK];
            if !self.stream.read_exact(&mut block)? {
                return truncated();
            }
            sparse::read_slots(&block[..504], &mut segments)?;
            continues = block[504] != 0;
        }
        Ok(segments)
    }

    fn data_map(&mut self) -> Result<Vec<(u64, u64)>> {
        let mut map = DataMap::default();
        loop {
            let mut block = [0; BLOCK];
            if self.left < BLOCK as u64 || !self.stream.read_exact(&mut block)? {
                return truncated();
            }
            self.left -= BLOCK as u64;
            if let Some(segments) = map.push_block(&block)? {
                return Ok(segments);
            }
        }
    }
}

fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// A negative id is what the same 32 bits mean without a sign. One that needs more bits is refused: cut to 32, as the
/// kernel does, it would be someone else, perhaps root.
fn owner(id: i64) -> Result<Option<u32>> {
    let bits = u32::try_from(id).or_else(|_| i32::try_from(id).map(i32::cast_unsigned));
    match bits {
        Ok(id) => Ok((id != u32::MAX).then_some(id)),
        Err(_) => invalid(format!("the archive holds the impossible owner {id}")),
    }
}

fn header_time(header: &Header<'_>) -> Result<Timespec> {
    Ok(Timespec { tv_sec: header.mtime()?, tv_nsec: 0 })
}
