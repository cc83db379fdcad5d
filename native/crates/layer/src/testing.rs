//! Archives and scratch directories for tests.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use crate::{LayerError, Limits, Unpack, Unpacked, unpack};

/// A directory that goes away with the test, whatever its outcome. `layer` is where archives are unpacked; everything
/// else in it must stay as it was.
pub struct Scratch {
    pub root: PathBuf,
}

impl Scratch {
    pub fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// For tests that unpack thousands of times and would wait for the disk each time.
    pub fn in_memory() -> Self {
        Self::below(Path::new("/dev/shm"))
    }

    fn below(dir: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("berth-layer-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let root = dir.join(name);
        for dir in ["layer", "outside"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        fs::write(root.join("outside/precious"), "kept").unwrap();
        Self { root }
    }

    pub fn layer(&self) -> PathBuf {
        self.root.join("layer")
    }

    pub fn mkdir(&self, name: &str) -> PathBuf {
        let path = self.root.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    pub fn unpack(&self, archive: &Archive) -> Result<Unpacked, LayerError> {
        self.unpack_above(archive, &[])
    }

    pub fn unpack_above(&self, archive: &Archive, parents: &[PathBuf]) -> Result<Unpacked, LayerError> {
        let bytes = archive.bytes();
        self.unpack_blob(&bytes, &diff_id(&bytes), parents)
    }

    pub fn unpack_blob(&self, blob: &[u8], diff_id: &str, parents: &[PathBuf]) -> Result<Unpacked, LayerError> {
        self.unpack_with(blob, (diff_id, parents), Limits::default())
    }

    pub fn unpack_within(&self, blob: &[u8], diff_id: &str, limits: Limits) -> Result<Unpacked, LayerError> {
        self.unpack_with(blob, (diff_id, &[]), limits)
    }

    fn unpack_with(
        &self,
        blob: &[u8],
        (diff_id, parents): (&str, &[PathBuf]),
        limits: Limits,
    ) -> Result<Unpacked, LayerError> {
        let path = self.root.join("blob");
        fs::write(&path, blob).unwrap();
        let (media_type, dir) = ("application/vnd.oci.image.layer.v1.tar", &self.layer());
        unpack(&Unpack { blob: &path, media_type, diff_id, dir, parents, limits })
    }

    /// Fails the test when anything beside the layer changed or the layer holds a remnant of a failed unpack.
    pub fn assert_untouched(&self) {
        assert_eq!(fs::read_to_string(self.root.join("outside/precious")).unwrap(), "kept");
        assert_eq!(names(&self.root.join("outside")), ["precious"]);
        let mut around = names(&self.root);
        around.retain(|name| name != "blob");
        assert_eq!(around, ["layer", "outside"]);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        crate::remove_tree(&self.root).unwrap();
    }
}

pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub fn diff_id(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Builds an archive entry by entry; names are put into the header as they are, however hostile.
#[derive(Default)]
pub struct Archive {
    data: Vec<u8>,
}

impl Archive {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn file(self, name: &str, content: &str) -> Self {
        self.raw(&mut header(name, EntryType::Regular), content.as_bytes())
    }

    pub fn dir(self, name: &str) -> Self {
        let mut header = header(name, EntryType::Directory);
        header.set_mode(0o755);
        self.raw(&mut header, b"")
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.link(name, target, EntryType::Symlink)
    }

    pub fn hard_link(self, name: &str, target: &str) -> Self {
        self.link(name, target, EntryType::Link)
    }

    fn link(self, name: &str, target: &str, kind: EntryType) -> Self {
        let mut header = header(name, kind);
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        self.raw(&mut header, b"")
    }

    /// Puts a PAX header of these records before the next entry.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut data = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while rest + length.to_string().len() != length {
                length += 1;
            }
            write!(data, "{length} {key}=").unwrap();
            data.extend_from_slice(value);
            data.push(b'\n');
        }
        self.raw(&mut header("pax", EntryType::XHeader), &data)
    }

    /// Appends a header, with its size and checksum made right, and a padded body.
    pub fn raw(mut self, header: &mut Header, body: &[u8]) -> Self {
        header.set_size(body.len() as u64);
        header.set_cksum();
        self.data.extend_from_slice(header.as_bytes());
        self.append(body)
    }

    /// Appends bytes as they are, padded to a block.
    pub fn append(mut self, bytes: &[u8]) -> Self {
        self.data.extend_from_slice(bytes);
        self.data.resize(self.data.len().next_multiple_of(512), 0);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.data.clone();
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }
}

/// A ustar header owned by root, mode 0644, at second 1.
pub fn header(name: &str, kind: EntryType) -> Header {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header
}
