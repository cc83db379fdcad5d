//! The fixed 512-byte header.

use crate::error::{Result, invalid, show};

pub(super) const BLOCK: usize = 512;

/// One raw header block whose checksum was right.
pub(super) struct Header<'a>(&'a [u8; BLOCK]);

impl<'a> Header<'a> {
    /// `None` for a block of zeros, which marks the archive's end.
    pub fn parse(block: &'a [u8; BLOCK]) -> Result<Option<Self>> {
        if block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let header = Self(block);
        let stored = number(header.field(148, 8))?;
        if stored != header.checksum(u64::from) && stored != header.checksum_signed() {
            return invalid("the archive holds a block that is not a tar header (checksum mismatch)");
        }
        Ok(Some(header))
    }

    pub fn name(&self) -> Vec<u8> {
        let name = text(self.field(0, 100));
        let prefix = if self.has_prefix() { text(self.field(345, 155)) } else { b"" };
        if prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, name].join(&b'/')
    }

    pub fn link_name(&self) -> Vec<u8> {
        text(self.field(157, 100)).to_vec()
    }

    pub fn kind(&self) -> u8 {
        self.0[156]
    }

    pub fn mode(&self) -> Result<u64> {
        unsigned(self.field(100, 8))
    }

    /// Negative for macOS' nobody.
    pub fn uid(&self) -> Result<i64> {
        number(self.field(108, 8))
    }

    pub fn gid(&self) -> Result<i64> {
        number(self.field(116, 8))
    }

    pub fn size(&self) -> Result<u64> {
        unsigned(self.field(124, 12))
    }

    /// Seconds since the epoch; before it when negative.
    pub fn mtime(&self) -> Result<i64> {
        number(self.field(136, 12))
    }

    pub fn device(&self) -> Result<(u32, u32)> {
        Ok((small(self.field(329, 8))?, small(self.field(337, 8))?))
    }

    /// The GNU header's own four sparse slots of 24 bytes.
    pub fn gnu_sparse_slots(&self) -> &'a [u8] {
        &self.0[386..482]
    }

    pub fn gnu_sparse_continues(&self) -> bool {
        self.0[482] != 0
    }

    pub fn gnu_real_size(&self) -> Result<u64> {
        unsigned(self.field(483, 12))
    }

    /// GNU tar keeps times where ustar has the prefix. Go before 1.8, which wrote the layers of old Dockers, put a prefix
    /// there all the same: what is no number is one.
    fn has_prefix(&self) -> bool {
        match self.field(257, 8) {
            b"ustar  \0" => self.field(345, 155).is_ascii() && number(self.field(345, 12)).is_err(),
            magic => magic.starts_with(b"ustar\0"),
        }
    }

    fn field(&self, start: usize, length: usize) -> &'a [u8] {
        &self.0[start..start + length]
    }

    /// The checksum field itself counts as spaces.
    fn checksum(&self, value: impl Fn(u8) -> u64) -> i64 {
        let outside = self.0[..148].iter().chain(&self.0[156..]);
        let sum: u64 = outside.map(|&byte| value(byte)).sum();
        (sum + 8 * u64::from(b' ')) as i64
    }

    /// Some old writers summed signed characters.
    fn checksum_signed(&self) -> i64 {
        let outside = self.0[..148].iter().chain(&self.0[156..]);
        outside.map(|&byte| i64::from(byte as i8)).sum::<i64>() + 8 * i64::from(b' ')
    }
}

/// A field up to its first NUL.
fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    &field[..end]
}

/// A number in octal digits between blanks or, when the top bit is set, in big-endian two's complement. A blank field is
/// zero.
pub(super) fn number(field: &[u8]) -> Result<i64> {
    if field[0] & 0x80 != 0 {
        return base256(field);
    }
    let start = field.iter().position(|byte| !b" \0".contains(byte)).unwrap_or(field.len());
    let digits = text(&field[start..]).trim_ascii_end();
    let mut value: i64 = 0;
    for &digit in digits {
        if !(b'0'..=b'7').contains(&digit) {
            return invalid(format!("the archive holds the malformed number {}", show(field)));
        }
        value = value << 3 | i64::from(digit - b'0');
    }
    Ok(value)
}

fn base256(field: &[u8]) -> Result<i64> {
    let negative = field[0] & 0x40 != 0;
    let mut value: i128 = if negative { -1 } else { 0 };
    // The top bit marks the encoding and is no digit; in a negative number it extends the sign.
    let first = if negative { field[0] } else { field[0] & 0x7f };
    for byte in std::iter::once(first).chain(field[1..].iter().copied()) {
        value = value << 8 | i128::from(byte);
    }
    i64::try_from(value).or_else(|_| invalid("the archive holds a number beyond 64 bits"))
}

pub(super) fn unsigned(field: &[u8]) -> Result<u64> {
    u64::try_from(number(field)?).or_else(|_| invalid("the archive holds a negative size or id"))
}

fn small(field: &[u8]) -> Result<u32> {
    u32::try_from(unsigned(field)?).or_else(|_| invalid("the archive holds a device number beyond 32 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_octal_and_base_256() {
        assert_eq!(number(b"0000644\0").unwrap(), 0o644);
        assert_eq!(number(b"   644 \0").unwrap(), 0o644);
        assert_eq!(number(b"\0\0  644 ").unwrap(), 0o644);
        assert_eq!(number(&[0; 8]).unwrap(), 0);
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 1, 2]).unwrap(), 258);
        assert_eq!(number(&[0xff; 12]).unwrap(), -1);
        assert!(number(b"0000689\0").is_err());
        assert!(number(&[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert!(unsigned(&[0xff; 12]).is_err());
    }

    #[test]
    fn a_wrong_checksum_is_refused() {
        let mut block = [0; BLOCK];
        block[0] = b'a';
        assert!(Header::parse(&block).is_err());
        assert!(Header::parse(&[0; BLOCK]).unwrap().is_none());
    }
}
