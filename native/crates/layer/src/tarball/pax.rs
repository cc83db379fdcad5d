//! PAX extended headers: `length key=value\n` records.

use std::collections::BTreeMap;

use rustix::fs::Timespec;

use super::number::decimal;
use super::sparse::PaxSparse;
use crate::error::{Result, invalid, show};

/// What one extended header says about the entry after it. Later records win over earlier ones.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub path: Option<Vec<u8>>,
    pub link_path: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<i64>,
    pub gid: Option<i64>,
    pub mtime: Option<Timespec>,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub sparse: PaxSparse,
}

const XATTR: &[u8] = b"SCHILY.xattr.";

/// Names of extended attributes one entry may have: the kernel lists at most 64 KiB of them, and real files have a few.
const MAX_XATTRS: usize = 1024;

impl Pax {
    pub fn parse(mut data: &[u8]) -> Result<Self> {
        let mut pax = Self::default();
        while !data.is_empty() {
            let (key, value, rest) = record(data)?;
            pax.apply(key, value)?;
            data = rest;
        }
        Ok(pax)
    }

    fn apply(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if let Some(name) = key.strip_prefix(XATTR) {
            return self.set_xattr(name, value);
        }
        if value.is_empty() {
            // An empty value takes back an earlier (global) record, and those are not honoured.
            return Ok(());
        }
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link_path = Some(value.to_vec()),
            b"size" => self.size = Some(decimal(value)?),
            b"uid" => self.uid = Some(decimal(value)?),
            b"gid" => self.gid = Some(decimal(value)?),
            b"mtime" => self.mtime = Some(time(value)?),
            _ => self.sparse.apply(key, value)?,
        }
        Ok(())
    }

    fn set_xattr(&mut self, name: &[u8], value: &[u8]) -> Result<()> {
        self.xattrs.insert(name.to_vec(), value.to_vec());
        if self.xattrs.len() > MAX_XATTRS {
            return invalid(format!("the archive holds an entry with more than {MAX_XATTRS} extended attributes"));
        }
        Ok(())
    }
}

/// Takes one record off the front. Values may hold any byte, also newlines, so only the length ends a record.
fn record(data: &[u8]) -> Result<(&[u8], &[u8], &[u8])> {
    let malformed = || invalid("the archive holds a malformed PAX header");
    let Some(space) = data.iter().take(20).position(|&byte| byte == b' ') else {
        return malformed();
    };
    let Ok(length) = usize::try_from(decimal::<u64>(&data[..space])?) else {
        return malformed();
    };
    if length > data.len() || length < space + 3 || data[length - 1] != b'\n' {
        return malformed();
    }
    let body = &data[space + 1..length - 1];
    let Some(equals) = body.iter().position(|&byte| byte == b'=') else {
        return malformed();
    };
    Ok((&body[..equals], &body[equals + 1..], &data[length..]))
}

/// Seconds with an optional fraction, e.g. `1700000000.123456789` or `-1.5`.
fn time(text: &[u8]) -> Result<Timespec> {
    let malformed = || invalid(format!("the archive holds the malformed time {}", show(text)));
    let mut halves = text.splitn(2, |&byte| byte == b'.');
    let whole = halves.next().unwrap_or_default();
    let fraction = halves.next().unwrap_or_default();
    let Some(seconds) = std::str::from_utf8(whole).ok().and_then(|text| text.parse::<i64>().ok()) else {
        return malformed();
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return malformed();
    }
    let digits = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
    let nanos = digits.fold(0, |nanos, &digit| nanos * 10 + i64::from(digit - b'0'));
    if whole.starts_with(b"-") && nanos > 0 {
        return Ok(Timespec { tv_sec: seconds.saturating_sub(1), tv_nsec: 1_000_000_000 - nanos });
    }
    Ok(Timespec { tv_sec: seconds, tv_nsec: nanos })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_newlines_and_equal_signs() {
        let pax = Pax::parse(b"32 SCHILY.xattr.user.x=\n1=2\n345\n12 path=a/b\n").unwrap();
        assert_eq!(pax.xattrs, [(b"user.x".to_vec(), b"\n1=2\n345".to_vec())].into());
        assert_eq!(pax.path.as_deref(), Some(b"a/b".as_slice()));
    }

    #[test]
    fn malformed_records_are_refused() {
        for data in [
            b"path=a\n".as_slice(),
            b"99 path=a\n",
            b"9 path=a\n\n",
            b"0 a=\n",
            b"18446744073709551616 a=b\n",
            b"6 abc\n",
        ] {
            assert!(Pax::parse(data).is_err(), "{}", data.escape_ascii());
        }
    }

    #[test]
    fn attributes_are_bounded_by_their_names_and_the_last_value_counts() {
        let header = |names: usize| -> Vec<u8> {
            // Twice: a name that comes again is no further one.
            (0..2 * names).flat_map(|i| format!("29 SCHILY.xattr.user.{:05}=x\n", i % names).into_bytes()).collect()
        };
        assert_eq!(Pax::parse(&header(MAX_XATTRS)).unwrap().xattrs.len(), MAX_XATTRS);
        assert!(Pax::parse(&header(MAX_XATTRS + 1)).is_err());
        let twice = Pax::parse(b"25 SCHILY.xattr.user.a=1\n25 SCHILY.xattr.user.a=2\n").unwrap();
        assert_eq!(twice.xattrs, [(b"user.a".to_vec(), b"2".to_vec())].into());
    }

    #[test]
    fn times_keep_nanoseconds_on_both_sides_of_the_epoch() {
        let at = |text: &[u8]| time(text).map(|time| (time.tv_sec, time.tv_nsec)).unwrap();
        assert_eq!(at(b"1700000000.1234567891"), (1_700_000_000, 123_456_789));
        assert_eq!(at(b"5"), (5, 0));
        assert_eq!(at(b"-1.5"), (-2, 500_000_000));
        assert!(time(b"1.x").is_err());
    }
}
