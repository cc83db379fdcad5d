//! One client of the shim: non-blocking in both directions.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use ttrpc::{Frame, FrameDecoder};

/// A connected client and what is on its way from and to it.
#[derive(Debug)]
pub struct Connection {
    pub stream: UnixStream,
    decoder: FrameDecoder,
    outgoing: Vec<u8>,
}

impl Connection {
    /// # Errors
    /// That of making the socket non-blocking.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, decoder: FrameDecoder::default(), outgoing: Vec::new() })
    }

    /// Reads what is there. Returns the whole frames, and whether the client goes on.
    pub fn receive(&mut self, buffer: &mut [u8]) -> (Vec<Frame>, bool) {
        let mut frames = Vec::new();
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return (frames, false),
                Ok(count) => self.decoder.feed(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (frames, true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return (frames, false),
            }
            loop {
                match self.decoder.next_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(_) => return (frames, false),
                }
            }
        }
    }

    /// Queues bytes and sends what the client takes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.outgoing.extend_from_slice(bytes);
        self.flush();
    }

    /// Sends what waits; true when nothing does any more.
    pub fn flush(&mut self) -> bool {
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(count) => {
                    self.outgoing.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => self.outgoing.clear(),
            }
        }
        true
    }
}
