//! Those who call the shim, and what they wait for.

use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use prost::Message;
use ttrpc::{Call, Frame, Status, decode_call, encode_reply};

use crate::connection::Connection;
use crate::reactor::{EventFlags, Kind, Reactor, Token};

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    connection: Token,
    stream_id: u32,
    /// When the client stops waiting, or shortly before, so that it still hears why; none: never.
    pub deadline: Option<Instant>,
}

/// How a call ends: with an answer, or with one that a later event brings.
#[derive(Debug)]
pub enum Outcome {
    Now(Vec<u8>),
    Later,
}

impl Outcome {
    /// An answer.
    pub fn message(message: &impl Message) -> Self {
        Self::Now(message.encode_to_vec())
    }

    /// google.protobuf.Empty.
    #[must_use]
    pub const fn empty() -> Self {
        Self::Now(Vec::new())
    }
}

/// How long before a client stops waiting it is answered.
const LONGEST_MARGIN: Duration = Duration::from_secs(1);

/// The connected clients.
#[derive(Debug)]
pub struct Clients {
    reactor: Rc<Reactor>,
    connections: HashMap<Token, Connection>,
    /// Wait calls, with the exec id.
    waiters: Vec<(String, Reply)>,
    /// Calls that are answered once it is known whether the main process runs.
    deferred: Vec<(Reply, Call)>,
}

impl Clients {
    #[must_use]
    pub fn new(reactor: Rc<Reactor>) -> Self {
        Self { reactor, connections: HashMap::new(), waiters: Vec::new(), deferred: Vec::new() }
    }

    /// Listens to one that has connected.
    pub fn add(&mut self, stream: UnixStream) {
        let Ok(connection) = Connection::new(stream) else { return };
        if let Ok(token) = self.reactor.add(&connection.stream, Kind::Client) {
            self.connections.insert(token, connection);
        }
    }

    /// What a client asks for. Call [`Clients::forget_if_left`] when that is dealt with.
    pub fn hear(&mut self, token: Token, flags: EventFlags) -> Vec<(Reply, Result<Call, Status>)> {
        let Some(connection) = self.connections.get_mut(&token) else { return Vec::new() };
        if flags.contains(EventFlags::OUT) && connection.flush() {
            let _ = self.reactor.modify(&connection.stream, token, EventFlags::IN);
        }
        connection.receive().iter().filter_map(|frame| call_of(token, frame)).collect()
    }

    /// Forgets a client that has left and what it waits for.
    pub fn forget_if_left(&mut self, token: Token) {
        if self.connections.get(&token).is_some_and(|connection| connection.left)
            && let Some(connection) = self.connections.remove(&token)
        {
            self.reactor.remove(&connection.stream);
            self.waiters.retain(|(_, reply)| reply.connection != token);
        }
    }

    /// Sends an answer; a client that left no longer waits for it.
    pub fn reply(&mut self, to: Reply, result: Result<Vec<u8>, Status>) {
        let Some(connection) = self.connections.get_mut(&to.connection) else { return };
        connection.send(&encode_reply(to.stream_id, result));
        if !connection.flush() {
            let _ = self.reactor.modify(&connection.stream, to.connection, EventFlags::IN | EventFlags::OUT);
        }
    }

    /// Has a client wait for the end of a process.
    pub fn wait_for(&mut self, exec_id: &str, reply: Reply) {
        self.waiters.push((exec_id.to_owned(), reply));
    }

    /// Answers those who wait for the end of this process.
    pub fn tell_end(&mut self, exec_id: &str, answer: &[u8]) {
        for (_, reply) in self.waiters.extract_if(.., |(waited, _)| waited == exec_id).collect::<Vec<_>>() {
            self.reply(reply, Ok(answer.to_vec()));
        }
    }

    /// Keeps a call until it is taken.
    pub fn defer(&mut self, reply: Reply, call: &Call) {
        self.deferred.push((reply, call.clone()));
    }

    /// The calls that were kept.
    pub fn take_deferred(&mut self) -> Vec<(Reply, Call)> {
        std::mem::take(&mut self.deferred)
    }

    /// Sends what they take without being waited for.
    pub fn flush(&mut self) {
        for connection in self.connections.values_mut() {
            connection.flush();
        }
    }
}

fn call_of(connection: Token, frame: &Frame) -> Option<(Reply, Result<Call, Status>)> {
    let call = decode_call(frame)?;
    let deadline = call.as_ref().ok().and_then(|call| call.timeout).and_then(answer_by);
    Some((Reply { connection, stream_id: frame.stream_id, deadline }, call))
}

/// A client that waits so long from now on is answered by then.
fn answer_by(patience: Duration) -> Option<Instant> {
    Instant::now().checked_add(patience - LONGEST_MARGIN.min(patience / 4))
}
