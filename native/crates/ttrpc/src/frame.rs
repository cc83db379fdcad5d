//! The frame: a 10-byte big-endian header (u32 length, u32 stream id, u8 type, u8 flags) and that many bytes.

use thiserror::Error;

/// The longest payload of one frame.
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;

const HEADER_BYTES: usize = 10;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageType {
    Request,
    Response,
    Data,
}

impl MessageType {
    const fn code(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Response => 2,
            Self::Data => 3,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Request),
            2 => Some(Self::Response),
            3 => Some(Self::Data),
            _ => None,
        }
    }
}

/// A peer that breaks these rules cannot be talked to any further: close the connection.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FrameError {
    #[error("a frame of {0} bytes is over the limit of {MAX_MESSAGE_BYTES}")]
    TooLong(usize),
    #[error("frame type {0} is none of 1, 2 and 3")]
    UnknownType(u8),
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Odd for calls that the client began.
    pub stream_id: u32,
    pub kind: MessageType,
    pub flags: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The bytes on the wire.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] when the payload is over [`MAX_MESSAGE_BYTES`].
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        if self.payload.len() > MAX_MESSAGE_BYTES {
            return Err(FrameError::TooLong(self.payload.len()));
        }
        let length = u32::try_from(self.payload.len()).map_err(|_| FrameError::TooLong(self.payload.len()))?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.payload.len());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&self.stream_id.to_be_bytes());
        bytes.push(self.kind.code());
        bytes.push(self.flags);
        bytes.extend_from_slice(&self.payload);
        Ok(bytes)
    }
}

/// Cuts a byte stream into frames. Feed it what was read, then take frames until there is none.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
}

impl FrameDecoder {
    /// Adds bytes as they came from the peer.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, or `None` until more bytes came.
    ///
    /// # Errors
    /// [`FrameError`] when the peer does not speak ttrpc.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((header, rest)) = self.buffer.split_at_checked(HEADER_BYTES) else {
            return Ok(None);
        };
        let [l0, l1, l2, l3, s0, s1, s2, s3, kind, flags] = *header else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        if length > MAX_MESSAGE_BYTES {
            return Err(FrameError::TooLong(length));
        }
        let kind = MessageType::from_code(kind).ok_or(FrameError::UnknownType(kind))?;
        let Some(payload) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = Frame { stream_id: u32::from_be_bytes([s0, s1, s2, s3]), kind, flags, payload: payload.to_vec() };
        self.buffer.drain(..HEADER_BYTES + length);
        if self.buffer.is_empty() && self.buffer.capacity() > 64 << 10 {
            // One large message must not cost memory for the rest of the connection's life.
            self.buffer = Vec::new();
        }
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: &[u8]) -> Frame {
        Frame { stream_id: 7, kind: MessageType::Request, flags: 0, payload: payload.to_vec() }
    }

    #[test]
    fn a_frame_survives_any_cut_of_the_stream() {
        let first = frame(b"hello");
        let second = frame(b"");
        let mut wire = first.encode().expect("encodes");
        wire.extend(second.encode().expect("encodes"));
        for cut in 0..wire.len() {
            let mut decoder = FrameDecoder::default();
            let mut seen = Vec::new();
            for part in [&wire[..cut], &wire[cut..]] {
                decoder.feed(part);
                while let Some(next) = decoder.next_frame().expect("valid") {
                    seen.push(next);
                }
            }
            assert_eq!(seen, [first.clone(), second.clone()], "cut at {cut}");
        }
    }

    #[test]
    fn the_header_is_big_endian() {
        assert_eq!(frame(b"x").encode().expect("encodes"), [0, 0, 0, 1, 0, 0, 0, 7, 1, 0, b'x']);
    }

    #[test]
    fn a_hostile_length_is_refused_before_it_is_read() {
        let mut decoder = FrameDecoder::default();
        decoder.feed(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 1, 0]);
        assert_eq!(decoder.next_frame(), Err(FrameError::TooLong(0xffff_ffff)));
    }

    #[test]
    fn an_unknown_type_is_refused() {
        let mut decoder = FrameDecoder::default();
        decoder.feed(&[0, 0, 0, 0, 0, 0, 0, 1, 9, 0]);
        assert_eq!(decoder.next_frame(), Err(FrameError::UnknownType(9)));
    }

    #[test]
    fn a_payload_over_the_limit_is_not_sent() {
        assert_eq!(frame(&vec![0; MAX_MESSAGE_BYTES + 1]).encode(), Err(FrameError::TooLong(MAX_MESSAGE_BYTES + 1)));
    }
}
