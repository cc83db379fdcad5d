//! One client of the shim: non-blocking in both directions.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use ttrpc::{Frame, FrameDecoder};

/// A connected client and what is on its way from and to it.
#[derive(Debug)]
pub struct Connection {
    pub stream: UnixStream,
    /// It has closed its side, or what it says makes no sense.
    pub left: bool,
    decoder: FrameDecoder,
    outgoing: Vec<u8>,
}

const BUFFER_BYTES: usize = 16 << 10;

impl Connection {
    /// # Errors
    /// That of making the socket non-blocking.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, left: false, decoder: FrameDecoder::default(), outgoing: Vec::new() })
    }

    /// Reads what is there: the whole frames.
    pub fn receive(&mut self) -> Vec<Frame> {
        let (mut frames, mut buffer) = (Vec::new(), [0; BUFFER_BYTES]);
        while !self.left {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.left = true,
                Ok(count) => self.decode(&buffer[..count], &mut frames),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.left = true,
            }
        }
        frames
    }

    fn decode(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) {
        self.decoder.feed(bytes);
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return,
                Err(_) => {
                    self.left = true;
                    return;
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
