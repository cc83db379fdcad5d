use crate::error::{LayerError, Result};

/// Bounds against archive bombs.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Uncompressed bytes of the stream, and also the sum of the logical sizes of its sparse files.
    pub max_bytes: u64,
    /// Archive entries plus directories made on the way to them.
    pub max_entries: u64,
    /// From this size on a stream must not be [`MAX_RATIO`] times as large as its blob. Preallocated files (swap files,
    /// disk images, database logs) are all zeros, so below it any ratio is honest.
    pub ratio_from: u64,
}

/// Compression ratio that only zeros reach: gzip's best is 1032:1, zstd's 32768:1 and more.
const MAX_RATIO: u64 = 4096;

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 1 << 40, max_entries: 100_000_000, ratio_from: 16 << 30 }
    }
}

impl Limits {
    /// Checks a stream that produced `out` bytes from `consumed` compressed ones.
    pub(crate) fn check_bytes(&self, out: u64, consumed: u64) -> Result<()> {
        if out > self.max_bytes {
            return exhausted(format!("the layer is larger than the limit of {} bytes", self.max_bytes));
        }
        if out > self.ratio_from && out / consumed.max(1) > MAX_RATIO {
            return exhausted(format!(
                "the layer has more than {} bytes at a compression ratio above {MAX_RATIO}:1",
                self.ratio_from
            ));
        }
        Ok(())
    }

    pub(crate) fn check_entries(&self, entries: u64) -> Result<()> {
        if entries > self.max_entries {
            return exhausted(format!("the layer has more than the limit of {} entries", self.max_entries));
        }
        Ok(())
    }
}

fn exhausted(message: String) -> Result<()> {
    Err(LayerError::Exhausted(message))
}
