use std::io::{ErrorKind, Read, Result, Write};

const BUFFER: usize = 64 << 10;

/// One direction of a connection, and what is on its way.
///
/// ```text
/// open ──end of input──▶ ending ──all delivered──▶ done
///   └──────────────────receiver gone──────────────▶
/// ```
#[derive(Debug)]
pub struct Half {
    buffer: Vec<u8>,
    pending: std::ops::Range<usize>,
    ended: bool,
    pub done: bool,
}

impl Half {
    pub fn new() -> Self {
        Self { buffer: vec![0; BUFFER], pending: 0..0, ended: false, done: false }
    }

    /// There is room for more.
    pub fn wants_input(&self) -> bool {
        !self.done && !self.ended && self.pending.is_empty()
    }

    /// Something waits to be delivered.
    pub fn wants_output(&self) -> bool {
        !self.done && !self.pending.is_empty()
    }

    /// Moves what can be moved without waiting. True when the sender has ended and everything is delivered.
    pub fn step(&mut self, from: &mut impl Read, to: &mut impl Write) -> bool {
        if self.done {
            return false;
        }
        if self.pending.is_empty() && !self.ended {
            self.fill(from);
        }
        if self.deliver(to).is_err() {
            self.done = true;
            return false;
        }
        if self.ended && self.pending.is_empty() {
            self.done = true;
            return true;
        }
        false
    }

    fn fill(&mut self, from: &mut impl Read) {
        match from.read(&mut self.buffer) {
            Ok(0) => self.ended = true,
            Ok(count) => self.pending = 0..count,
            Err(error) if is_passing(error.kind()) => {}
            // A connection that was reset says no more.
            Err(_) => self.ended = true,
        }
    }

    fn deliver(&mut self, to: &mut impl Write) -> Result<()> {
        while !self.pending.is_empty() {
            match to.write(&self.buffer[self.pending.clone()]) {
                Ok(count) => self.pending.start += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn is_passing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
