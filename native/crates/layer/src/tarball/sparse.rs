//! The maps of sparse files: GNU's old header slots and the three PAX generations (0.0, 0.1, 1.0).

use super::Extent;
use super::header::unsigned;
use super::number::decimal;
use crate::error::{Result, invalid, show};

/// More segments than any real file has; each costs us 16 bytes.
pub(super) const MAX_SEGMENTS: usize = 1 << 16;

const SLOT: usize = 24;

/// Reads GNU slots of (offset, length) until the first blank one.
pub(super) fn read_slots(slots: &[u8], segments: &mut Vec<(u64, u64)>) -> Result<()> {
    for slot in slots.chunks_exact(SLOT) {
        if slot[0] == 0 {
            break;
        }
        segments.push((unsigned(&slot[..12])?, unsigned(&slot[12..])?));
    }
    check_count(segments.len())
}

fn check_count(count: usize) -> Result<()> {
    if count > MAX_SEGMENTS {
        return invalid("the archive holds a sparse file of too many segments");
    }
    Ok(())
}

/// Checks a map against the file's size and the bytes that the stream carries for it.
pub(super) fn extent(segments: Vec<(u64, u64)>, size: u64, stored: u64) -> Result<Extent> {
    let mut end = 0;
    let mut total: u64 = 0;
    for &(offset, length) in &segments {
        let segment_end = offset.checked_add(length).filter(|&segment_end| segment_end <= size);
        let (true, Some(segment_end)) = (offset >= end, segment_end) else {
            return invalid("the archive holds a sparse file whose map is inconsistent");
        };
        end = segment_end;
        total += length;
    }
    if total != stored {
        return invalid("the archive holds a sparse file whose map does not match its data");
    }
    Ok(Extent { size, segments })
}

/// The `GNU.sparse.*` records of one PAX header.
#[derive(Debug, Default)]
pub(super) struct PaxSparse {
    pub name: Option<Vec<u8>>,
    size: Option<u64>,
    major: u64,
    numbers: Vec<u64>,
    mapped: bool,
}

impl PaxSparse {
    pub fn apply(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        match key {
            b"GNU.sparse.name" => self.name = Some(value.to_vec()),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.size = Some(decimal(value)?),
            b"GNU.sparse.major" => self.major = decimal(value)?,
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => self.push(decimal(value)?)?,
            b"GNU.sparse.numblocks" => self.mapped = true,
            b"GNU.sparse.map" => self.parse_map(value)?,
            _ => {}
        }
        Ok(())
    }

    fn parse_map(&mut self, value: &[u8]) -> Result<()> {
        self.mapped = true;
        self.numbers.clear();
        for number in value.split(|&byte| byte == b',') {
            self.push(decimal(number)?)?;
        }
        Ok(())
    }

    fn push(&mut self, number: u64) -> Result<()> {
        self.numbers.push(number);
        check_count(self.numbers.len() / 2)
    }

    pub fn is_sparse(&self) -> bool {
        self.mapped || self.map_is_in_data()
    }

    /// Generation 1.0 keeps its map as text in front of the file's data.
    pub fn map_is_in_data(&self) -> bool {
        self.major == 1
    }

    pub fn size(&self) -> Result<u64> {
        self.size.map_or_else(|| invalid("the archive holds a sparse file without a size"), Ok)
    }

    /// The map that the records themselves hold.
    pub fn segments(&self) -> Result<Vec<(u64, u64)>> {
        pairs(&self.numbers)
    }
}

fn pairs(numbers: &[u64]) -> Result<Vec<(u64, u64)>> {
    if !numbers.len().is_multiple_of(2) {
        return invalid("the archive holds a sparse map of odd length");
    }
    Ok(numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

/// Parses the text map of generation 1.0 as its blocks arrive: a count, then that many offsets and lengths, a line each.
#[derive(Debug, Default)]
pub(super) struct DataMap {
    line: Vec<u8>,
    count: Option<usize>,
    numbers: Vec<u64>,
}

impl DataMap {
    /// Takes one block; the segments once the map is complete (the rest of that block is padding).
    pub fn push_block(&mut self, block: &[u8]) -> Result<Option<Vec<(u64, u64)>>> {
        for &byte in block {
            if byte != b'\n' {
                self.push_digit(byte)?;
                continue;
            }
            self.end_line()?;
            if self.count == Some(self.numbers.len() / 2) {
                return pairs(&self.numbers).map(Some);
            }
        }
        Ok(None)
    }

    fn push_digit(&mut self, byte: u8) -> Result<()> {
        self.line.push(byte);
        if self.line.len() > 20 {
            return invalid(format!("the archive holds the malformed number {}", show(&self.line)));
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<()> {
        let number = decimal(&self.line)?;
        self.line.clear();
        if self.count.is_some() {
            self.numbers.push(number);
            return Ok(());
        }
        let count = usize::try_from(number).unwrap_or(usize::MAX);
        check_count(count)?;
        self.count = Some(count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_must_ascend_within_the_file_and_cover_the_stored_bytes() {
        assert!(extent(vec![(0, 2), (10, 3)], 20, 5).is_ok());
        for (segments, size, stored) in [
            (vec![(10, 3), (0, 2)], 20, 5),
            (vec![(0, 3), (2, 2)], 20, 5),
            (vec![(18, 3)], 20, 3),
            (vec![(u64::MAX, 3)], 20, 3),
            (vec![(0, 3)], 20, 4),
        ] {
            assert!(extent(segments, size, stored).is_err());
        }
    }

    #[test]
    fn a_text_map_may_span_blocks() {
        let mut map = DataMap::default();
        assert_eq!(map.push_block(b"2\n0\n5").unwrap(), None);
        let segments = map.push_block(b"12\n4096\n1\n\0\0\0").unwrap();
        assert_eq!(segments, Some(vec![(0, 512), (4096, 1)]));
        assert!(DataMap::default().push_block(b"9999999\n").is_err());
        assert!(DataMap::default().push_block(&[b'1'; 64]).is_err());
    }
}
