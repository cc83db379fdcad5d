use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{self, FileType, Mode, OFlags};

use crate::apply::Applier;
use crate::error::{Context, LayerError, Result, invalid};
use crate::limits::Limits;
use crate::pipeline::{Source, Streamed, stream};
use crate::remove::empty_dir;
use crate::tarball::Reader;
use crate::usage::{Usage, disk_usage};
use crate::view::View;

/// One layer to unpack.
#[derive(Debug)]
pub struct Unpack<'a> {
    pub blob: &'a Path,
    /// Must name a layer type; the bytes themselves say how they are compressed.
    pub media_type: &'a str,
    /// `sha256:` and the hex digest of the uncompressed stream.
    pub diff_id: &'a str,
    /// Must exist and be empty.
    pub dir: &'a Path,
    /// Directories of the layers below, topmost first.
    pub parents: &'a [PathBuf],
    pub limits: Limits,
}

/// What an unpack made.
#[derive(Debug)]
pub struct Unpacked {
    /// Size of the uncompressed stream.
    pub bytes: u64,
    /// What `dir` holds now.
    pub usage: Usage,
    pub micros: Micros,
}

/// Where the time went; the stages overlap.
#[derive(Debug)]
pub struct Micros {
    pub decompress: u64,
    pub hash: u64,
    pub write: u64,
    pub sync: u64,
}

/// Unpacks a layer into an overlay layer directory and makes it durable.
///
/// Nothing outside of `dir` is ever touched, whatever the archive says. Owners, modes, times (to the nanosecond),
/// extended attributes, links, devices and pipes are kept; whiteouts become overlay's. Names are taken relative to the
/// root, and symlinks on the way to an entry are followed within the merged image.
///
/// # Errors
/// `Invalid` for a malformed or hostile archive or a wrong `diff_id`, `Exhausted` for a full disk or an archive beyond
/// its limits; `dir` is empty again after any error.
pub fn unpack(request: &Unpack<'_>) -> Result<Unpacked> {
    let expected = expected_hex(request.diff_id)?;
    check_empty(request.dir)?;
    let result = unpack_and_sync(request, expected);
    if result.is_err() {
        // The first error is the one to report; a directory that stays filled fails the next attempt loudly.
        let _ = empty_dir(request.dir);
    }
    result
}

/// Unpacks an archive whose digest nobody knows into an empty directory, with the guarantees of [`unpack()`] but for
/// durability.
///
/// # Errors
/// As [`unpack()`].
pub fn extract(archive: &Path, dir: &Path, parents: &[PathBuf]) -> Result<()> {
    check_empty(dir)?;
    let media_type = "application/vnd.oci.image.layer.v1.tar";
    let request = Unpack { blob: archive, media_type, diff_id: "", dir, parents, limits: Limits::default() };
    let result = write(&request).map(drop);
    if result.is_err() {
        // As above.
        let _ = empty_dir(dir);
    }
    result
}

fn unpack_and_sync(request: &Unpack<'_>, expected: &str) -> Result<Unpacked> {
    let started = Instant::now();
    let streamed = write(request)?;
    let written = started.elapsed().saturating_sub(streamed.waited);
    if streamed.sha256 != expected {
        return invalid(format!(
            "the layer's content is sha256:{} and not the expected {}",
            streamed.sha256, request.diff_id
        ));
    }
    let syncing = Instant::now();
    sync(request.dir)?;
    let synced = syncing.elapsed();
    Ok(Unpacked {
        bytes: streamed.bytes,
        usage: disk_usage(request.dir)?,
        micros: Micros {
            decompress: micros(streamed.decompress),
            hash: micros(streamed.hash),
            write: micros(written),
            sync: micros(synced),
        },
    })
}

/// A pipe would be waited for, and a device may have no end.
fn open_file(path: &Path) -> Result<OwnedFd> {
    let name = path.as_os_str().as_encoded_bytes();
    let file = fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).at("open", name)?;
    let kind = FileType::from_raw_mode(fs::fstat(&file).at("stat", name)?.st_mode);
    if kind == FileType::RegularFile { Ok(file) } else { invalid(format!("{} is no file", path.display())) }
}

fn write(request: &Unpack<'_>) -> Result<Streamed> {
    let source =
        Source { blob: open_file(request.blob)?.into(), media_type: request.media_type, limits: request.limits };
    let mut applier = Applier::new(View::open(request.dir, request.parents)?, request.limits)?;
    stream(source, |stream| {
        let mut reader = Reader::new(stream);
        while let Some(entry) = reader.next(|| applier.count_entry())? {
            applier.apply(&entry, &mut reader)?;
        }
        applier.finish()
    })
}

/// One sync of the filesystem instead of one per file: unpacking writes thousands, and their journal commits would
/// dominate. It covers data, attributes and names, so the caller may record the layer as complete.
fn sync(dir: &Path) -> Result<()> {
    let bytes = dir.as_os_str().as_encoded_bytes();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = fs::open(dir, flags, Mode::empty()).at("open directory", bytes)?;
    fs::syncfs(&dir).at("syncfs", bytes)
}

fn check_empty(dir: &Path) -> Result<()> {
    let bytes = dir.as_os_str().as_encoded_bytes();
    let mut entries = std::fs::read_dir(dir)
        .map_err(|error| rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO))
        .at("open directory", bytes)?;
    if entries.next().is_some() {
        return Err(LayerError::Io {
            op: "unpack into",
            path: crate::error::show(bytes),
            errno: rustix::io::Errno::NOTEMPTY,
        });
    }
    Ok(())
}

fn expected_hex(diff_id: &str) -> Result<&str> {
    match diff_id.strip_prefix("sha256:") {
        Some(hex) if hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) => Ok(hex),
        _ => invalid(format!("{diff_id:?} is not a sha256 diffID")),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
