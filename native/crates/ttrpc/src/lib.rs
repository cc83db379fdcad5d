//! ttrpc, the RPC protocol of containerd's shims: gRPC's messages and codes over a plain byte stream.
//!
//! The codec knows no I/O, so that a single-threaded event loop (the shim) and a threaded server (the agent) share it.
//! Unary calls only; ttrpc's streams are not used by any service here.

mod client;
mod frame;
mod message;
mod server;
mod status;

pub use client::{Client, ClientError};
pub use frame::{Frame, FrameDecoder, FrameError, MAX_MESSAGE_BYTES, MessageType};
pub use message::{KeyValue, Request, Response};
pub use server::{Call, Handler, decode_call, encode_reply, serve};
pub use status::{Code, Status};
