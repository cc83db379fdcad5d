//! Socket paths. A unix socket's path holds 107 bytes, and bundles may lie deep.

use std::path::{Path, PathBuf};

/// The shim's own socket in its bundle.
pub const NAME: &str = "shim.sock";

const MAX_PATH: usize = 107;
const FALLBACK: &str = "/run/berth-shims";

/// `<bundle>/<name>` where that fits, else a path made from its hash in a common directory.
#[must_use]
pub fn short_path(bundle: &Path, name: &str) -> PathBuf {
    let path = bundle.join(name);
    if path.as_os_str().len() <= MAX_PATH {
        return path;
    }
    // Should the directory be missing, bind says so.
    let _ = std::fs::create_dir_all(FALLBACK);
    Path::new(FALLBACK).join(format!("{:016x}", fnv1a(path.as_os_str().as_encoded_bytes())))
}

/// FNV-1a: spreads names, promises no more.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_paths_become_short_ones_that_differ() {
        assert_eq!(short_path(Path::new("/run/b"), "s"), Path::new("/run/b/s"));
        let deep = PathBuf::from(format!("/{}", "d".repeat(120)));
        let (one, two) = (short_path(&deep, "a"), short_path(&deep, "b"));
        assert!(one.as_os_str().len() <= MAX_PATH);
        assert_ne!(one, two);
    }
}
