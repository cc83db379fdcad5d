//! Names from archives, made relative to the layer's root by text alone; symlinks are [`crate::view`]'s business.

use crate::error::{Result, invalid, show};

/// The kernel's limits on one name and on a whole path.
const NAME_MAX: usize = 255;
pub(crate) const PATH_MAX: usize = 4095;

pub(crate) const WHITEOUT_PREFIX: &[u8] = b".wh.";
const WHITEOUT_META_PREFIX: &[u8] = b".wh..wh.";
const WHITEOUT_OPAQUE: &[u8] = b".wh..wh..opq";
/// Where AUFS kept the inodes of files with several names: hard links of its images point here.
pub(crate) const AUFS_LINKS: &[u8] = b".wh..wh.plnk";

/// Normalises an archive's name to `a/b/c`; the root itself is the empty name. A name that climbs out is refused.
pub(crate) fn clean(name: &[u8]) -> Result<Vec<u8>> {
    if name.contains(&0) {
        return invalid(format!("{} holds a NUL byte", show(name)));
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.pop().is_none() => {
                return invalid(format!("{} leads outside of the layer", show(name)));
            }
            b".." => {}
            part if part.len() > NAME_MAX => return invalid(format!("{} is too long a name", show(part))),
            part => parts.push(part),
        }
    }
    let path = parts.join(&b'/');
    if path.len() > PATH_MAX {
        return invalid(format!("{} is too long a path", show(&path)));
    }
    Ok(path)
}

/// Splits a clean path into its parent (empty for the root) and its last name.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

pub(crate) fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() {
        return name.to_vec();
    }
    [parent, name].join(&b'/')
}

/// What the AUFS naming convention, adopted by OCI layers, says about an entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Whiteout<'a> {
    /// An ordinary entry.
    No,
    /// The named sibling of the layers below is deleted.
    Hides(&'a [u8]),
    /// Nothing of the layers below shows in this directory.
    Opaque,
    /// A file that only serves as the target of hard links.
    LinkTarget,
    /// Other bookkeeping of AUFS itself, of no meaning here.
    Ignored,
}

/// Classifies a clean path by its names.
pub(crate) fn whiteout(path: &[u8]) -> Result<Whiteout<'_>> {
    let (parent, name) = split(path);
    if parent == AUFS_LINKS {
        return Ok(Whiteout::LinkTarget);
    }
    if parent.split(|&byte| byte == b'/').any(|part| part.starts_with(WHITEOUT_META_PREFIX)) {
        return Ok(Whiteout::Ignored);
    }
    if name == WHITEOUT_OPAQUE {
        return Ok(Whiteout::Opaque);
    }
    if name.starts_with(WHITEOUT_META_PREFIX) {
        return Ok(Whiteout::Ignored);
    }
    match name.strip_prefix(WHITEOUT_PREFIX) {
        None => Ok(Whiteout::No),
        Some(b"" | b"." | b"..") => invalid(format!("{} is not a whiteout of anything", show(path))),
        Some(hidden) => Ok(Whiteout::Hides(hidden)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(name: &str) -> Option<String> {
        clean(name.as_bytes()).ok().map(|path| String::from_utf8_lossy(&path).into_owned())
    }

    #[test]
    fn names_become_relative_to_the_root() {
        for name in ["/etc/x", "./etc/x", "etc/x/", "etc//x", "a/../etc/./x", "//etc/x"] {
            assert_eq!(cleaned(name).as_deref(), Some("etc/x"), "{name}");
        }
        for root in ["", "/", ".", "./", "a/.."] {
            assert_eq!(cleaned(root).as_deref(), Some(""), "{root}");
        }
    }

    #[test]
    fn names_that_climb_out_or_overflow_are_refused() {
        let long = "n".repeat(256);
        let deep = "d/".repeat(2100);
        for name in ["..", "../x", "/..", "a/../../x", "a\0b", &long, &deep] {
            assert_eq!(cleaned(name), None, "{name:?}");
        }
    }

    #[test]
    fn whiteouts_are_told_by_name() {
        assert_eq!(whiteout(b"a/x").unwrap(), Whiteout::No);
        assert_eq!(whiteout(b"a/.wh.x").unwrap(), Whiteout::Hides(b"x"));
        assert_eq!(whiteout(b".wh..hidden").unwrap(), Whiteout::Hides(b".hidden"));
        assert_eq!(whiteout(b"a/.wh..wh..opq").unwrap(), Whiteout::Opaque);
        assert_eq!(whiteout(b".wh..wh.aufs").unwrap(), Whiteout::Ignored);
        assert_eq!(whiteout(b".wh..wh.plnk/12.3").unwrap(), Whiteout::LinkTarget);
        for ignored in [b".wh..wh.plnk".as_slice(), b".wh..wh.plnk/a/b", b"d/.wh..wh.plnk/1", b".wh..wh.orph/x"] {
            assert_eq!(whiteout(ignored).unwrap(), Whiteout::Ignored);
        }
        for hostile in [b"a/.wh.".as_slice(), b"a/.wh..", b"a/.wh..."] {
            assert!(whiteout(hostile).is_err());
        }
    }
}
