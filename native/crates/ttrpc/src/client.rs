//! A blocking client: one call at a time over one connection.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use prost::Message;
use thiserror::Error;

use crate::frame::{Frame, FrameDecoder, FrameError, MessageType};
use crate::message::{Request, Response};
use crate::status::{Code, Status};

/// Why a call did not bring an answer.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error(transparent)]
    Status(#[from] Status),
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    #[error("peer: {0}")]
    Frame(#[from] FrameError),
    #[error("answer: {0}")]
    Decode(#[from] prost::DecodeError),
}

/// A connection to a ttrpc server.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    decoder: FrameDecoder,
    next_stream: u32,
}

impl Client {
    /// A client on an open connection.
    #[must_use]
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, decoder: FrameDecoder::default(), next_stream: 1 }
    }

    /// Connects to a unix socket.
    ///
    /// # Errors
    /// That of connect(2).
    pub fn connect(path: &Path) -> io::Result<Self> {
        Ok(Self::new(UnixStream::connect(path)?))
    }

    /// Calls and waits for the answer, at most `timeout`.
    ///
    /// # Errors
    /// [`ClientError::Status`] is the peer's answer; with any other the connection is of no more use.
    pub fn call<Q: Message, A: Message + Default>(
        &mut self,
        service: &str,
        method: &str,
        request: &Q,
        timeout: Option<Duration>,
    ) -> Result<A, ClientError> {
        let stream_id = self.next_stream;
        self.next_stream = self.next_stream.wrapping_add(2);
        self.stream.set_read_timeout(timeout)?;
        let request = Request {
            service: service.to_owned(),
            method: method.to_owned(),
            payload: request.encode_to_vec(),
            timeout_nano: timeout.map_or(0, |t| i64::try_from(t.as_nanos()).unwrap_or(i64::MAX)),
            metadata: Vec::new(),
        };
        let frame = Frame { stream_id, kind: MessageType::Request, flags: 0, payload: request.encode_to_vec() };
        self.stream.write_all(&frame.encode()?)?;
        let response = Response::decode(self.receive(stream_id)?.payload.as_slice())?;
        match response.status {
            Some(status) if status.code != 0 => Err(Status::new(Code::from_number(status.code), status.message).into()),
            _ => Ok(A::decode(response.payload.as_slice())?),
        }
    }

    fn receive(&mut self, stream_id: u32) -> Result<Frame, ClientError> {
        let mut chunk = [0; 16 << 10];
        loop {
            while let Some(frame) = self.decoder.next_frame()? {
                if frame.stream_id == stream_id && frame.kind == MessageType::Response {
                    return Ok(frame);
                }
            }
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                count => self.decoder.feed(&chunk[..count]),
            }
        }
    }
}
