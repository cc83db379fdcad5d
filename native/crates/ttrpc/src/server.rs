//! Answering calls. The pure half turns frames into calls and results into frames; [`serve`] is the threaded server.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prost::Message;

use crate::frame::{Frame, FrameDecoder, FrameError, MessageType};
use crate::message::{Request, Response, RpcStatus};
use crate::status::{Code, Status};

/// One call as it came in.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Goes into the answer's frame.
    pub stream_id: u32,
    pub service: String,
    pub method: String,
    pub payload: Vec<u8>,
    /// How long the caller waits.
    pub timeout: Option<Duration>,
}

impl Call {
    /// The request message.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] when the payload is no such message.
    pub fn decode<M: Message + Default>(&self) -> Result<M, Status> {
        M::decode(self.payload.as_slice())
            .map_err(|error| Status::new(Code::InvalidArgument, format!("{}/{}: {error}", self.service, self.method)))
    }
}

/// The call in a frame, or the failure to answer with. `None` for frames that are no requests.
pub fn decode_call(frame: &Frame) -> Option<Result<Call, Status>> {
    if frame.kind != MessageType::Request {
        return None;
    }
    Some(match Request::decode(frame.payload.as_slice()) {
        Ok(request) => Ok(Call {
            stream_id: frame.stream_id,
            service: request.service,
            method: request.method,
            payload: request.payload,
            timeout: u64::try_from(request.timeout_nano).ok().filter(|nanos| *nanos > 0).map(Duration::from_nanos),
        }),
        Err(error) => Err(Status::new(Code::InvalidArgument, format!("not a ttrpc request: {error}"))),
    })
}

/// The bytes that answer a call. An answer over the frame limit becomes [`Code::ResourceExhausted`].
#[must_use]
pub fn encode_reply(stream_id: u32, result: Result<Vec<u8>, Status>) -> Vec<u8> {
    match response_frame(stream_id, result).encode() {
        Ok(bytes) => bytes,
        Err(FrameError::TooLong(length)) => {
            let status = Status::new(
                Code::ResourceExhausted,
                format!("the answer of {length} bytes is too long for one message"),
            );
            response_frame(stream_id, Err(status)).encode().unwrap_or_default()
        }
        Err(FrameError::UnknownType(_)) => Vec::new(),
    }
}

fn response_frame(stream_id: u32, result: Result<Vec<u8>, Status>) -> Frame {
    let response = match result {
        // An OK status is sent, not left out: Go's client wants the field.
        Ok(payload) => Response { status: Some(RpcStatus { code: 0, message: String::new() }), payload },
        Err(status) => Response {
            status: Some(RpcStatus { code: status.code as i32, message: status.message }),
            payload: Vec::new(),
        },
    };
    Frame { stream_id, kind: MessageType::Response, flags: 0, payload: response.encode_to_vec() }
}

/// What answers calls in a threaded server.
pub trait Handler: Send + Sync + 'static {
    /// Takes the call and runs it, on a thread of its choosing; `reply` sends the answer, from any thread, once.
    fn handle(self: Arc<Self>, call: Call, reply: Box<dyn FnOnce(Result<Vec<u8>, Status>) + Send>);
}

/// Serves one connection until the peer closes it. Reads on the calling thread; answers come from the handler's.
///
/// # Errors
/// The read's error, or `InvalidData` when the peer does not speak ttrpc.
pub fn serve<H: Handler>(mut stream: UnixStream, handler: &Arc<H>) -> io::Result<()> {
    let writer = Arc::new(Mutex::new(stream.try_clone()?));
    let mut decoder = FrameDecoder::default();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let count = match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        decoder.feed(&chunk[..count]);
        while let Some(frame) =
            decoder.next_frame().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?
        {
            dispatch(&frame, handler, &writer);
        }
    }
}

fn dispatch<H: Handler>(frame: &Frame, handler: &Arc<H>, writer: &Arc<Mutex<UnixStream>>) {
    let writer = Arc::clone(writer);
    let stream_id = frame.stream_id;
    let reply = move |result| {
        let bytes = encode_reply(stream_id, result);
        // A peer that is gone no longer waits for the answer.
        let _ = writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(&bytes);
    };
    match decode_call(frame) {
        Some(Ok(call)) => Arc::clone(handler).handle(call, Box::new(reply)),
        Some(Err(status)) => reply(Err(status)),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Client, ClientError};

    struct Echo;

    impl Handler for Echo {
        fn handle(self: Arc<Self>, call: Call, reply: Box<dyn FnOnce(Result<Vec<u8>, Status>) + Send>) {
            std::thread::spawn(move || {
                reply(match call.method.as_str() {
                    "Echo" => Ok(call.payload),
                    "Big" => Ok(vec![0; 5 << 20]),
                    _ => Err(Status::unimplemented(&call.service, &call.method)),
                });
            });
        }
    }

    fn echo_client() -> Client {
        let (ours, theirs) = UnixStream::pair().expect("socketpair");
        std::thread::spawn(move || serve(theirs, &Arc::new(Echo)));
        Client::new(ours)
    }

    #[test]
    fn calls_are_answered() {
        let mut client = echo_client();
        let sent = Request { service: "inner".into(), ..Default::default() };
        let back: Request = client.call("s", "Echo", &sent, None).expect("answered");
        assert_eq!(back, sent);
    }

    #[test]
    fn failures_carry_code_and_message() {
        let mut client = echo_client();
        let failed = client.call::<_, Request>("s", "Nope", &Request::default(), None);
        let Err(ClientError::Status(status)) = failed else { panic!("{failed:?}") };
        assert_eq!(status, Status::new(Code::Unimplemented, "s/Nope is not implemented"));
    }

    #[test]
    fn an_answer_that_does_not_fit_is_a_failure_and_not_a_broken_connection() {
        let mut client = echo_client();
        let failed = client.call::<_, Request>("s", "Big", &Request::default(), None);
        assert!(matches!(failed, Err(ClientError::Status(Status { code: Code::ResourceExhausted, .. }))), "{failed:?}");
        assert!(client.call::<_, Request>("s", "Echo", &Request::default(), None).is_ok());
    }

    #[test]
    fn garbage_ends_the_connection() {
        let (mut ours, theirs) = UnixStream::pair().expect("socketpair");
        ours.write_all(&[0xff; 10]).expect("written");
        let error = serve(theirs, &Arc::new(Echo)).expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
