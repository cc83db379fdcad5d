use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{LayerError, Result, invalid};

const READ_BUFFER: usize = 256 << 10;
/// Largest zstd window we decode: 128 MiB, what `zstd --long` makes. More would let a blob choose our memory use.
const ZSTD_WINDOW_LOG: u32 = 27;

/// The decoder's word for a frame with a larger one; it has no code for it.
const ZSTD_WINDOW_REFUSED: &str = "requires too much memory";

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The first byte of a frame that decoders pass over may be any of sixteen; pzstd and seekable writers begin with one.
const ZSTD_SKIPPABLE: &[u8] = &[0x2a, 0x4d, 0x18];

/// Opens the decompressor for a blob. `consumed` counts the compressed bytes taken so far.
///
/// The media type must be that of a layer we know, but the bytes decide: registries hold plain tars that are labelled
/// gzip, and the diffID check makes a wrong guess harmless.
pub(crate) fn open(blob: File, media_type: &str, consumed: Arc<AtomicU64>) -> Result<Box<dyn Read + Send>> {
    check_media_type(media_type)?;
    let mut input = BufReader::with_capacity(READ_BUFFER, Counted { blob, consumed });
    let head = input.fill_buf().map_err(read_failed)?;
    if head.starts_with(GZIP_MAGIC) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(input)));
    }
    if is_zstd(head) {
        let mut decoder = zstd::Decoder::with_buffer(input).map_err(read_failed)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(read_failed)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(input))
}

fn is_zstd(head: &[u8]) -> bool {
    let skippable = head.first().is_some_and(|&first| first & 0xf0 == 0x50) && head[1..].starts_with(ZSTD_SKIPPABLE);
    skippable || head.starts_with(ZSTD_MAGIC)
}

/// Accepts tar, tar+gzip and tar+zstd in OCI and Docker spelling, distributable or not.
fn check_media_type(media_type: &str) -> Result<()> {
    const KNOWN: [&str; 12] = [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.zstd",
    ];
    if KNOWN.contains(&media_type) {
        return Ok(());
    }
    invalid(format!("media type {media_type:?} is not a layer that can be unpacked"))
}

/// Tells a damaged blob (the archive's fault) from a failing disk (ours).
pub(crate) fn read_failed(error: io::Error) -> LayerError {
    match error.raw_os_error() {
        Some(code) => LayerError::Io {
            op: "read",
            path: "the layer blob".into(),
            errno: rustix::io::Errno::from_raw_os_error(code),
        },
        None if error.to_string().contains(ZSTD_WINDOW_REFUSED) => LayerError::Invalid(
            "the layer blob needs a zstd window of over 128 MiB; compress it with zstd --long=27 or less".into(),
        ),
        None => LayerError::Invalid(format!("the layer blob is damaged: {error}")),
    }
}

struct Counted {
    blob: File,
    consumed: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.blob.read(buffer)?;
        self.consumed.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
