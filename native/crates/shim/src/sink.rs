//! Where what a pump moves goes.

use std::fs::File;
use std::io::Write;

use crate::backlog::Backlog;
use crate::log_writer::{LogWriter, Stream};

/// Where output goes.
#[derive(Debug)]
pub enum Sink {
    /// The container's CRI log.
    Log(Stream),
    /// A file that takes so many bytes more; what comes after is read and dropped.
    File { file: File, remaining: u64 },
    /// A FIFO whose reader may be slow: what it did not take yet waits.
    Fifo(Backlog),
    /// Nowhere, unless somebody listens in.
    Discard(Stream),
}

impl Sink {
    /// Which of the container's outputs comes here, if it is one that can be listened to.
    #[must_use]
    pub const fn stream(&self) -> Option<Stream> {
        match self {
            Self::Log(stream) | Self::Discard(stream) => Some(*stream),
            Self::File { .. } | Self::Fifo(_) => None,
        }
    }

    /// Takes all of it, and loses what there is no place for.
    pub fn take(&mut self, bytes: &[u8], log: Option<&mut LogWriter>) {
        match self {
            Self::Log(stream) => {
                if let Some(log) = log {
                    log.take(*stream, bytes);
                }
            }
            Self::File { file, remaining } => {
                let keep = usize::try_from(*remaining).unwrap_or(usize::MAX).min(bytes.len());
                // A full disk loses output, as a limit does; the process must not hang on it.
                if file.write_all(&bytes[..keep]).is_ok() {
                    *remaining -= keep as u64;
                } else {
                    *remaining = 0;
                }
            }
            Self::Fifo(backlog) => {
                backlog.push(bytes);
                backlog.flush();
            }
            Self::Discard(_) => {}
        }
    }

    /// There will be no more.
    pub fn finish(&self, log: Option<&mut LogWriter>) {
        if let (Self::Log(stream), Some(log)) = (self, log) {
            log.finish(*stream);
        }
    }
}
