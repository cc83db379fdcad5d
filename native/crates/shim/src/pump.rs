//! Moving a process's output from its pipe or terminal to where it belongs.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use crate::log_writer::{LogWriter, Stream};

/// Where output goes.
#[derive(Debug)]
pub enum Sink {
    /// The container's CRI log.
    Log(Stream),
    /// A file that takes so many bytes more; what comes after is read and dropped.
    File {
        file: File,
        remaining: u64,
    },
    /// A FIFO whose reader may be slow: what it did not take yet waits.
    Fifo {
        file: File,
        pending: Vec<u8>,
    },
    Discard,
}

/// One output of one process.
#[derive(Debug)]
pub struct Pump {
    pub source: OwnedFd,
    sink: Sink,
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There may be more.
    Moved,
    /// Nothing to read now.
    Idle,
    /// The sink takes no more for now.
    Full,
    /// The other side is closed.
    Ended,
}

impl Pump {
    #[must_use]
    pub const fn new(source: OwnedFd, sink: Sink) -> Self {
        Self { source, sink }
    }

    /// Moves at most one buffer full.
    pub fn step(&mut self, buffer: &mut [u8], log: Option<&mut LogWriter>) -> Progress {
        if let Sink::Fifo { file, pending } = &mut self.sink
            && !flush(file, pending)
        {
            return Progress::Full;
        }
        match rustix::io::read(&self.source, &mut *buffer) {
            Ok(0) => self.end(log),
            Ok(count) => {
                self.deliver(&buffer[..count], log);
                Progress::Moved
            }
            Err(rustix::io::Errno::AGAIN) => Progress::Idle,
            Err(rustix::io::Errno::INTR) => Progress::Moved,
            // A terminal whose other side is closed says EIO.
            Err(_) => self.end(log),
        }
    }

    fn end(&self, log: Option<&mut LogWriter>) -> Progress {
        if let (Sink::Log(stream), Some(log)) = (&self.sink, log) {
            log.finish(*stream);
        }
        Progress::Ended
    }

    fn deliver(&mut self, bytes: &[u8], log: Option<&mut LogWriter>) {
        match &mut self.sink {
            Sink::Log(stream) => {
                if let Some(log) = log {
                    log.take(*stream, bytes);
                }
            }
            Sink::File { file, remaining } => {
                let keep = usize::try_from(*remaining).unwrap_or(usize::MAX).min(bytes.len());
                // A full disk loses output, as a limit does; the process must not hang on it.
                if file.write_all(&bytes[..keep]).is_ok() {
                    *remaining -= keep as u64;
                } else {
                    *remaining = 0;
                }
            }
            Sink::Fifo { file, pending } => {
                pending.extend_from_slice(bytes);
                flush(file, pending);
            }
            Sink::Discard => {}
        }
    }

    /// What is left of an unfinished line is written when its container is gone.
    pub fn abandon(&self, log: Option<&mut LogWriter>) {
        self.end(log);
    }
}

/// Writes what waits; false while some of it still does.
fn flush(file: &mut File, pending: &mut Vec<u8>) -> bool {
    while !pending.is_empty() {
        match file.write(pending) {
            Ok(count) => {
                pending.drain(..count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(_) => pending.clear(),
        }
    }
    true
}
