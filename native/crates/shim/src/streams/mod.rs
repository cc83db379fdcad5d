//! `berth-shim streams BUNDLE`: the streams of a container that another shim keeps. FIFOs are all that every shim knows, so
//! their other ends are held here: the outputs go to the CRI log and to whoever attaches, and what those type to the stdin.

mod calls;
mod opened;
mod settings;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sys::{Forked, SignalFd, fork_single_threaded};
use ttrpc::encode_reply;

use crate::connection::Connection;
use crate::leaving::Leaving;
use crate::log_writer::LogWriter;
use crate::pump::{LAST_STEPS, Progress, Pump};
use crate::reactor::{EventFlags, Reactor, Token};
use crate::shim::FULL_PAUSE;
use crate::sink::Sink;
use crate::start;
use opened::Opened;
use settings::Settings;

const BUFFER_BYTES: usize = 64 << 10;
/// A shim copies what its container left within so long; after that only a child of the container's may have more to say.
const SILENCE: Duration = Duration::from_millis(250);
/// More than was on its way when a container ended, in pipes of the largest size there is by default and in its shim's hands:
/// what comes after so much is such a child's.
const ON_THE_WAY: u64 = 4 << 20;

/// Everybody gets these while a node shuts down, when its containers say their last words. Their outputs end with them.
const IGNORED: [Signal; 6] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The container's.
    Output,
    /// One that has ended, with something left for those who listen in.
    Rest,
    /// What an attached client sends.
    Input,
}

struct Moved {
    token: Token,
    pump: Pump,
    role: Role,
}

/// Those who wait until the container, which has ended, is heard to its end.
struct Settling {
    callers: Vec<(Token, u32)>,
    quiet_since: Instant,
    /// What the outputs had brought before.
    before: u64,
}

/// The loop: outputs, inputs and the socket.
struct Streams {
    settings: Settings,
    log: Option<LogWriter>,
    reactor: Reactor,
    /// Those that nobody takes: see [`IGNORED`].
    _signals: SignalFd,
    pumps: Vec<Moved>,
    /// Those that a slow client holds back.
    full: Vec<Token>,
    stdin: Option<OwnedFd>,
    listener: UnixListener,
    listener_token: Token,
    connections: Vec<(Token, Connection)>,
    settling: Option<Settling>,
    leaving: Leaving,
    buffer: Vec<u8>,
    _lock: File,
}

/// Makes the FIFOs that are missing and leaves a process behind that serves them until the outputs end. Does nothing where
/// one does already.
///
/// # Errors
/// Those of reading the settings and of opening the log, the FIFOs and the socket.
pub fn run(words: &[String]) -> io::Result<()> {
    let bundle = words.first().filter(|word| word.starts_with('/'));
    let bundle =
        bundle.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "streams needs the path of a bundle"))?;
    let Some(opened) = Opened::open(Path::new(bundle))? else { return Ok(()) };
    if fork_single_threaded()? != Forked::Child {
        return Ok(());
    }
    start::detach()?;
    let socket = opened.settings.socket.clone();
    let result = Streams::new(opened).and_then(|mut streams| streams.serve());
    let _ = std::fs::remove_file(socket);
    result
}

impl Streams {
    fn new(opened: Opened) -> io::Result<Self> {
        let mut reactor = Reactor::new()?;
        let signals = SignalFd::new(&IGNORED.map(Signal::as_raw))?;
        let listener_token = reactor.add(&opened.listener, EventFlags::IN)?;
        let mut streams = Self {
            settings: opened.settings,
            log: opened.log,
            reactor,
            _signals: signals,
            pumps: Vec::new(),
            full: Vec::new(),
            stdin: opened.stdin,
            listener: opened.listener,
            listener_token,
            connections: Vec::new(),
            settling: None,
            leaving: Leaving::default(),
            buffer: vec![0; BUFFER_BYTES],
            _lock: opened._lock,
        };
        for (stream, file) in opened.outputs {
            let sink = if streams.log.is_some() { Sink::Log(stream) } else { Sink::Discard(stream) };
            streams.watch(Pump::new(file.into(), sink), Role::Output)?;
        }
        Ok(streams)
    }

    /// A FIFO that nobody has opened for writing yet is no event, so the shim may take its time.
    fn watch(&mut self, pump: Pump, role: Role) -> io::Result<Token> {
        let token = self.reactor.add(&pump.source, EventFlags::IN)?;
        self.pumps.push(Moved { token, pump, role });
        Ok(token)
    }

    fn serve(&mut self) -> io::Result<()> {
        while self.pumps.iter().any(|moved| moved.role != Role::Input) {
            for (token, _) in self.reactor.wait(self.patience())? {
                if token == self.listener_token {
                    self.accept();
                } else if self.pumps.iter().any(|moved| moved.token == token) {
                    self.move_bytes(token);
                } else {
                    self.answer(token);
                }
            }
            self.resume_full();
            self.let_leave();
            self.tell_settled();
        }
        Ok(())
    }

    fn patience(&self) -> Option<Duration> {
        if !self.full.is_empty() {
            return Some(FULL_PAUSE);
        }
        let settled = self.settling.as_ref().map(|settling| SILENCE.saturating_sub(settling.quiet_since.elapsed()));
        settled.into_iter().chain(self.leaving.due()).min()
    }

    fn resume_full(&mut self) {
        for token in std::mem::take(&mut self.full) {
            if let Some(moved) = self.pumps.iter().find(|moved| moved.token == token && moved.role != Role::Rest) {
                let _ = self.reactor.resume(&moved.pump.source, token, EventFlags::IN);
            }
            self.move_bytes(token);
        }
    }

    /// Answers those who wait for the container's end once both outputs have ended, or nothing comes any more.
    fn tell_settled(&mut self) {
        let Some(settling) = &self.settling else { return };
        let writes = self.pumps.iter().any(|moved| moved.role == Role::Output);
        let may_have_more = self.brought().saturating_sub(settling.before) < ON_THE_WAY;
        if writes && may_have_more && settling.quiet_since.elapsed() < SILENCE {
            return;
        }
        for (token, stream_id) in self.settling.take().map(|settling| settling.callers).unwrap_or_default() {
            self.reply(token, &encode_reply(stream_id, Ok(Vec::new())));
        }
    }

    /// The bytes that came from the outputs which have not ended.
    fn brought(&self) -> u64 {
        self.pumps.iter().filter(|moved| moved.role == Role::Output).map(|moved| moved.pump.brought()).sum()
    }

    /// The container is gone, though a straggler may still write: takes what is there and closes the last lines.
    fn finish(&mut self) {
        let outputs = self.pumps.iter().filter(|moved| moved.role == Role::Output).map(|moved| moved.token);
        for token in outputs.collect::<Vec<_>>() {
            self.take_last(token);
            self.end(token);
        }
    }

    fn take_last(&mut self, token: Token) {
        if let Some(moved) = self.pumps.iter_mut().find(|moved| moved.token == token) {
            moved.pump.hurry();
            for _ in 0..LAST_STEPS {
                if moved.pump.step(&mut self.buffer, self.log.as_mut()) != Progress::Moved {
                    break;
                }
            }
            moved.pump.abandon(self.log.as_mut());
        }
    }

    /// Moves a buffer full, after which the others and the calls get their turn: one of short lines takes a log milliseconds.
    fn move_bytes(&mut self, token: Token) {
        let Some(moved) = self.pumps.iter_mut().find(|moved| moved.token == token) else { return };
        if moved.role == Role::Rest {
            return self.end(token);
        }
        match moved.pump.step(&mut self.buffer, self.log.as_mut()) {
            Progress::Moved => self.heard(),
            Progress::Idle => {}
            Progress::Full => {
                self.reactor.remove(&moved.pump.source);
                self.full.push(token);
            }
            Progress::Ended => self.end(token),
        }
    }

    fn heard(&mut self) {
        if let Some(settling) = &mut self.settling {
            settling.quiet_since = Instant::now();
        }
    }

    /// One came to its end. What those who listen in have not taken yet waits for them.
    fn end(&mut self, token: Token) {
        let Some(index) = self.pumps.iter().position(|moved| moved.token == token) else { return };
        let moved = &mut self.pumps[index];
        self.reactor.remove(&moved.pump.source);
        if moved.role != Role::Input && !moved.pump.flush_taps() {
            moved.role = Role::Rest;
            self.full.push(token);
            return;
        }
        let was = self.pumps.swap_remove(index);
        if was.role == Role::Input && self.settings.ends_with_client() {
            self.close_stdin();
        } else if was.role == Role::Input {
            self.leaving.add(token, was.pump);
        }
    }

    /// Ends the attachments of those whose input has ended, and who have waited long enough for an answer.
    fn let_leave(&mut self) {
        for input in self.leaving.take_due() {
            self.pumps.iter_mut().for_each(|moved| moved.pump.let_go(input));
        }
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            let Ok(connection) = Connection::new(stream) else { continue };
            if let Ok(token) = self.reactor.add(&connection.stream, EventFlags::IN) {
                self.connections.push((token, connection));
            }
        }
    }

    fn reply(&mut self, token: Token, bytes: &[u8]) {
        if let Some((_, connection)) = self.connections.iter_mut().find(|(own, _)| *own == token) {
            connection.send(bytes);
        }
    }
}
