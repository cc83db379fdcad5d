//! What a reader that may be slow has not taken yet.

use std::fs::File;
use std::io::{self, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A pipe or terminal that never blocks, and the bytes that wait for it.
#[derive(Debug)]
pub struct Backlog {
    file: File,
    pending: Vec<u8>,
}

impl Backlog {
    /// Of a file that was opened not to block.
    #[must_use]
    pub const fn new(file: File) -> Self {
        Self { file, pending: Vec::new() }
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.pending.len()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether anybody holds the other end, which is told as an error otherwise.
    #[must_use]
    pub fn has_reader(&self) -> bool {
        let mut fds = [PollFd::new(&self.file, PollFlags::empty())];
        let _ = poll(&mut fds, Some(&Timespec::default()));
        !fds[0].revents().contains(PollFlags::ERR)
    }

    /// What the reader has not read yet. Nobody knows that of a terminal.
    #[must_use]
    pub fn unread(&self) -> u64 {
        let taken =
            if rustix::termios::isatty(&self.file) { 0 } else { rustix::io::ioctl_fionread(&self.file).unwrap_or(0) };
        taken + self.pending.len() as u64
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Writes what is taken without waiting.
    ///
    /// # Errors
    /// That of write(2) when nobody can receive it.
    pub fn try_flush(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            match self.file.write(&self.pending) {
                Ok(count) => {
                    self.pending.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes what waits; false while some of it still does. What nobody can receive is dropped.
    pub fn flush(&mut self) -> bool {
        if self.try_flush().is_err() {
            self.pending.clear();
        }
        self.pending.is_empty()
    }
}
