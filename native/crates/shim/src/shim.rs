//! The event loop: one thread that answers calls, moves output and reaps.

mod outputs;
mod reaping;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::unix::net::UnixListener;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use prost::Message;
use rustix::process::Signal;
use sys::SignalFd;
use ttrpc::{Call, Code, Status, decode_call, encode_reply};

use crate::connection::Connection;
use crate::container::Container;
use crate::events::Publisher;
use crate::job::Job;
use crate::leaving::Leaving;
use crate::reactor::{EventFlags, Reactor, Token};
use crate::task;
use outputs::OpenPump;

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

/// One Wait call.
#[derive(Debug)]
pub struct Waiter {
    pub exec_id: String,
    pub reply: Reply,
}

/// How long after Shutdown clients may still take what the container wrote before its end.
const REST_PATIENCE: Duration = Duration::from_secs(30);
/// How long before a client stops waiting it is answered.
const LONGEST_MARGIN: Duration = Duration::from_secs(1);
const BUFFER_BYTES: usize = 64 << 10;
/// How long a FIFO that takes no more is left alone.
pub const FULL_PAUSE: Duration = Duration::from_millis(5);
/// How long at most, when it goes on taking nothing: a container may never read what a client typed.
const LONGEST_PAUSE: Duration = Duration::from_millis(160);
/// The shim.
#[derive(Debug)]
pub struct Shim {
    pub id: String,
    pub container: Option<Container>,
    /// Runtime processes under way, by pid.
    pub jobs: HashMap<u32, Job>,
    pub waiters: Vec<Waiter>,
    /// Calls that are answered once it is known whether the main process runs.
    pub deferred: Vec<(Reply, Call)>,
    pub publisher: Publisher,
    /// Numbers the files of runtime calls.
    pub serial: u64,
    /// Set by Shutdown: when the shim ends at the latest.
    pub stopping: Option<Instant>,
    reactor: Reactor,
    signals: SignalFd,
    signal_token: Token,
    listener: UnixListener,
    listener_token: Token,
    connections: HashMap<Token, Connection>,
    pumps: BTreeMap<Token, OpenPump>,
    leaving: Leaving,
    full: Vec<Token>,
    full_pause: Duration,
    unclaimed: BTreeMap<u32, ExitStatus>,
    memory_token: Option<Token>,
    /// A signal asked for the shim's end.
    asked_to_end: bool,
    buffer: Vec<u8>,
}

impl Shim {
    /// A shim that serves `listener`. Signals are taken from here on.
    ///
    /// # Errors
    /// Those of epoll and signalfd.
    pub fn new(id: String, listener: UnixListener, publisher: Publisher) -> io::Result<Self> {
        let mut reactor = Reactor::new()?;
        let signals = SignalFd::new(&reaping::TAKEN.map(Signal::as_raw))?;
        let signal_token = reactor.add(&signals, EventFlags::IN)?;
        listener.set_nonblocking(true)?;
        let listener_token = reactor.add(&listener, EventFlags::IN)?;
        Ok(Self {
            id,
            container: None,
            jobs: HashMap::new(),
            waiters: Vec::new(),
            deferred: Vec::new(),
            publisher,
            serial: 0,
            stopping: None,
            reactor,
            signals,
            signal_token,
            listener,
            listener_token,
            connections: HashMap::new(),
            pumps: BTreeMap::new(),
            leaving: Leaving::default(),
            full: Vec::new(),
            full_pause: FULL_PAUSE,
            unclaimed: BTreeMap::new(),
            memory_token: None,
            asked_to_end: false,
            buffer: vec![0; BUFFER_BYTES],
        })
    }

    /// Serves until Shutdown, or until a signal that asks for the end while there is no container to keep.
    ///
    /// # Errors
    /// That of epoll_wait(2).
    pub fn run(&mut self) -> io::Result<()> {
        while self.stopping.is_none_or(|latest| self.has_rest() && Instant::now() < latest) {
            let timeout = self.next_timeout();
            for (token, flags) in self.reactor.wait(timeout)? {
                self.on_event(token, flags);
            }
            self.resume_full();
            self.let_leave();
            task::cut::cut_overdue(self);
            task::exit::announce_due(self);
            if self.asked_to_end && task::exit::may_end(self) {
                break;
            }
        }
        for connection in self.connections.values_mut() {
            connection.flush();
        }
        Ok(())
    }

    fn next_timeout(&mut self) -> Option<Duration> {
        let drains = self
            .container
            .iter_mut()
            .flat_map(Container::processes_mut)
            .filter_map(|p| (!p.announced).then_some(p.drain_until).flatten());
        let overdue = self.jobs.values().filter(|job| !job.cut).filter_map(|job| job.deadline);
        let due = drains.chain(overdue).min().map(|at| at.saturating_duration_since(Instant::now()));
        let due = due.into_iter().chain(self.leaving.due()).min();
        let pause = self.full_pause;
        if self.full.is_empty() { due } else { Some(due.map_or(pause, |due| due.min(pause))) }
    }

    fn on_event(&mut self, token: Token, flags: EventFlags) {
        if token == self.signal_token {
            self.on_signals();
        } else if token == self.listener_token {
            self.accept();
        } else if self.memory_token == Some(token) {
            self.container.iter_mut().for_each(|container| container.oom.note());
        } else if self.pumps.contains_key(&token) {
            self.move_output(token);
        } else {
            self.on_connection(token, flags);
        }
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            let Ok(connection) = Connection::new(stream) else { continue };
            if let Ok(token) = self.reactor.add(&connection.stream, EventFlags::IN) {
                self.connections.insert(token, connection);
            }
        }
    }

    fn on_connection(&mut self, token: Token, flags: EventFlags) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if flags.contains(EventFlags::OUT) && connection.flush() {
            let _ = self.reactor.modify(&connection.stream, token, EventFlags::IN);
        }
        let (frames, open) = connection.receive(&mut self.buffer);
        for frame in frames {
            let mut reply = Reply { connection: token, stream_id: frame.stream_id, deadline: None };
            match decode_call(&frame) {
                Some(Ok(call)) => {
                    reply.deadline = call.timeout.and_then(answer_by);
                    self.answer(reply, &call);
                }
                Some(Err(status)) => self.reply(reply, Err(status)),
                None => {}
            }
        }
        if !open && let Some(connection) = self.connections.remove(&token) {
            self.reactor.remove(&connection.stream);
            self.waiters.retain(|waiter| waiter.reply.connection != token);
        }
    }

    fn answer(&mut self, reply: Reply, call: &Call) {
        match task::dispatch(self, reply, call) {
            Ok(Outcome::Now(bytes)) => self.reply(reply, Ok(bytes)),
            Ok(Outcome::Later) => {}
            Err(status) => self.reply(reply, Err(status)),
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

    /// Ends the shim as soon as it owes nothing to anybody.
    pub fn stop(&mut self) {
        self.stopping.get_or_insert_with(|| Instant::now() + REST_PATIENCE);
    }

    /// Hears at once what the kernel says of the container's memory.
    ///
    /// # Errors
    /// That of epoll_ctl(2).
    pub fn watch_memory(&mut self) -> Result<(), Status> {
        let word = self.container.as_ref().and_then(|container| container.oom.word());
        let token = word.map(|word| self.reactor.add(word, EventFlags::IN)).transpose();
        self.memory_token = token.map_err(|error| Status::new(Code::Internal, format!("watch memory: {error}")))?;
        Ok(())
    }

    /// A number that no earlier runtime call had.
    pub const fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The container, or that there is none.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub fn held(&mut self) -> Result<&mut Container, Status> {
        let id = &self.id;
        self.container.as_mut().ok_or_else(|| Status::new(Code::NotFound, format!("container {id} is not created")))
    }
}

/// A client that waits so long from now on is answered by then.
fn answer_by(patience: Duration) -> Option<Instant> {
    Instant::now().checked_add(patience - LONGEST_MARGIN.min(patience / 4))
}
