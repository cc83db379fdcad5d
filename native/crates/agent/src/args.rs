use std::ffi::OsString;
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Args {
    Version,
    /// The inner half of making namespaces that a user namespace owns; see [`crate::namespaces`].
    KeepNamespaces,
    Serve {
        fd: i32,
        /// berthd's state root; `Info` looks at its filesystem.
        root: PathBuf,
    },
}

pub const KEEP_NAMESPACES: &str = "--keep-namespaces";
const USAGE: &str = "berth-agent --fd N [--root DIR] | --version";

/// # Errors
/// The usage text.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Args, &'static str> {
    let mut words = words.into_iter();
    let mut fd = None;
    let mut root = PathBuf::from("/");
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--version") => return Ok(Args::Version),
            Some(KEEP_NAMESPACES) => return Ok(Args::KeepNamespaces),
            Some("--fd") => fd = words.next().and_then(|number| number.to_str()?.parse().ok()),
            Some("--root") => root = words.next().ok_or(USAGE)?.into(),
            _ => return Err(USAGE),
        }
    }
    fd.map(|fd| Args::Serve { fd, root }).ok_or(USAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Args, &'static str> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_socket_is_required() {
        assert_eq!(parsed("--fd 3"), Ok(Args::Serve { fd: 3, root: "/".into() }));
        assert_eq!(parsed("--root /r --fd 4"), Ok(Args::Serve { fd: 4, root: "/r".into() }));
        assert_eq!(parsed("--version"), Ok(Args::Version));
        for line in ["", "--fd", "--fd x", "--fd 3 --root", "--fd 3 extra"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
