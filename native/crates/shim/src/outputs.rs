//! What processes write and where it goes, and what their clients type.

mod ends;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use ttrpc::{Code, Status};

use crate::backlog::Backlog;
use crate::leaving::Leaving;
use crate::log_writer::{LogWriter, Stream};
use crate::pump::{LAST_STEPS, Progress, Pump};
use crate::reactor::{Kind, Reactor, Token};
use crate::sink::Sink;

const BUFFER_BYTES: usize = 64 << 10;
/// How long a FIFO that takes no more is left alone.
const FULL_PAUSE: Duration = Duration::from_millis(5);
/// How long at most, when it goes on taking nothing: a container may never read what a client typed.
const LONGEST_PAUSE: Duration = Duration::from_millis(160);

/// An output or input and whose it is.
#[derive(Debug)]
struct OpenPump {
    exec_id: String,
    pump: Pump,
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// An exit waits for its end.
    Output,
    /// An output that has ended, with something left for those who listen in.
    Rest,
    /// What a client types.
    Input,
    /// What an attached client sends.
    Attached { ends_stdin: bool },
}

/// Where an attached client's input goes.
#[derive(Debug)]
pub struct Stdin {
    /// Where the container reads, as a descriptor that never blocks; none when its stdin is closed by now.
    pub to: Option<File>,
    /// The container's stdin ends with the client's.
    pub once: bool,
}

/// The streams of the container's processes, of which the main one has an empty exec id.
#[derive(Debug)]
pub struct Outputs {
    reactor: Rc<Reactor>,
    log: Option<LogWriter>,
    pumps: BTreeMap<Token, OpenPump>,
    /// Each keeps a process's stdin open.
    stdins: BTreeMap<String, OwnedFd>,
    /// How the outputs of a process began that are at their end; nothing once it runs, see [`Pump::head`].
    heads: BTreeMap<String, Vec<u8>>,
    leaving: Leaving,
    /// Those whose sinks take no more for now.
    full: Vec<Token>,
    full_pause: Duration,
    buffer: Vec<u8>,
}

impl Outputs {
    #[must_use]
    pub fn new(reactor: Rc<Reactor>) -> Self {
        Self {
            reactor,
            log: None,
            pumps: BTreeMap::new(),
            stdins: BTreeMap::new(),
            heads: BTreeMap::new(),
            leaving: Leaving::default(),
            full: Vec::new(),
            full_pause: FULL_PAUSE,
            buffer: vec![0; BUFFER_BYTES],
        }
    }

    /// The container's log, if it keeps one.
    pub const fn log(&mut self) -> Option<&mut LogWriter> {
        self.log.as_mut()
    }

    /// From now on the container's outputs may go there.
    pub fn keep_log(&mut self, log: Option<LogWriter>) {
        self.log = log;
    }

    /// Watches outputs of a process, and keeps its stdin open.
    ///
    /// # Errors
    /// [`Code::Internal`] with epoll's reason.
    pub fn watch(&mut self, exec_id: &str, pumps: Vec<Pump>, stdin: Option<OwnedFd>) -> Result<(), Status> {
        if let Some(stdin) = stdin {
            self.stdins.insert(exec_id.to_owned(), stdin);
        }
        pumps.into_iter().try_for_each(|pump| self.add(exec_id, pump, Role::Output).map(drop))
    }

    /// Passes a client's keystrokes on to a process's terminal. An exit does not wait for them.
    ///
    /// # Errors
    /// [`Code::Internal`] with epoll's reason.
    pub fn watch_input(&mut self, exec_id: &str, input: File, terminal: File) -> Result<(), Status> {
        let pump = Pump::new(input.into(), Sink::Fifo(Backlog::new(terminal)));
        self.add(exec_id, pump, Role::Input).map(drop)
    }

    fn add(&mut self, exec_id: &str, pump: Pump, role: Role) -> Result<Token, Status> {
        let failed = |error: io::Error| Status::new(Code::Internal, format!("watch a stream: {error}"));
        let token = self.reactor.add(&pump.source, Kind::Stream).map_err(failed)?;
        self.pumps.insert(token, OpenPump { exec_id: exec_id.to_owned(), pump, role });
        Ok(token)
    }

    /// What keeps a process's stdin open.
    #[must_use]
    pub fn stdin(&self, exec_id: &str) -> Option<&OwnedFd> {
        self.stdins.get(exec_id)
    }

    /// Passes on what an attached client sends to where the container reads, or nowhere.
    ///
    /// # Errors
    /// [`Code::Internal`] with epoll's reason.
    pub fn pass_on(&mut self, input: File, stdin: Stdin) -> Result<Token, Status> {
        let sink = stdin.to.map_or(Sink::Discard(Stream::Stdout), |to| Sink::Fifo(Backlog::new(to)));
        self.add("", Pump::new(input.into(), sink), Role::Attached { ends_stdin: stdin.once })
    }

    /// Lets a client listen in on an output of the container, through a descriptor that never blocks, at most until an input of
    /// its ends. Without such an output there is nothing to hear, and the client's end closes.
    pub fn listen_in(&mut self, stream: Stream, file: File, ends_with: Option<Token>) {
        let is_it = |open: &&mut OpenPump| {
            open.exec_id.is_empty() && open.role == Role::Output && open.pump.stream() == Some(stream)
        };
        if let Some(open) = self.pumps.values_mut().find(is_it) {
            open.pump.tap(file, ends_with);
        }
    }

    /// Moves a buffer full, after which the others and the calls get their turn: one of short lines takes a log milliseconds.
    /// True when there may be more.
    pub fn step(&mut self, token: Token) -> bool {
        let Some(open) = self.pumps.get_mut(&token) else { return false };
        if open.role == Role::Rest {
            self.finish_rest(token);
            return false;
        }
        let progress = open.pump.step(&mut self.buffer, self.log.as_mut());
        if progress == Progress::Full {
            // Not only of no interest: epoll would tell for ever that the other side has hung up.
            self.reactor.remove(&open.pump.source);
            if !self.full.contains(&token) {
                self.full.push(token);
            }
        } else if progress == Progress::Ended {
            self.end_pump(token);
        }
        progress == Progress::Moved
    }

    /// Goes on with what takes no more for now, and ends the attachments of those whose input has ended, and who have waited
    /// long enough for an answer. To be called whenever it is due.
    pub fn catch_up(&mut self) {
        let tokens = std::mem::take(&mut self.full);
        for token in tokens.iter().copied() {
            if let Some(open) = self.pumps.get(&token).filter(|open| open.role != Role::Rest) {
                // Fails where it is being watched already.
                let _ = self.reactor.resume(&open.pump.source, token);
            }
            self.step(token);
        }
        let all_stuck = !tokens.is_empty() && self.full.starts_with(&tokens);
        self.full_pause = if all_stuck { LONGEST_PAUSE.min(self.full_pause * 2) } else { FULL_PAUSE };
        for input in self.leaving.take_due() {
            self.pumps.values_mut().for_each(|open| open.pump.let_go(input));
        }
    }

    /// How long until there is something to catch up with.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let pause = (!self.full.is_empty()).then_some(self.full_pause);
        pause.into_iter().chain(self.leaving.due()).min()
    }

    /// Nobody who listens in on a process holds its output back any more.
    pub fn hurry(&mut self, exec_id: &str) {
        for open in self.pumps.values_mut().filter(|open| open.exec_id == exec_id) {
            open.pump.hurry();
        }
    }

    /// Moves what the process, which has ended, has written so far.
    pub fn drain(&mut self, exec_id: &str) {
        self.hurry(exec_id);
        for token in self.tokens(|open| open.exec_id == exec_id) {
            let _ = (0..LAST_STEPS).take_while(|_| self.step(token)).count();
        }
    }

    /// What came through the outputs that a process, which was not made, would have had: the runtime's words.
    pub fn heard(&mut self, exec_id: &str) -> Vec<u8> {
        self.drain(exec_id);
        let mut heard = self.heads.get(exec_id).cloned().unwrap_or_default();
        for open in self.outputs_of(exec_id) {
            heard.extend_from_slice(open.pump.head());
        }
        heard
    }

    /// The outputs of a process are its own from now on.
    pub fn forget_heard(&mut self, exec_id: &str) {
        for open in self.pumps.values_mut().filter(|open| open.exec_id == exec_id) {
            open.pump.forget_head();
        }
        self.heads.remove(exec_id);
    }

    /// Whether a process has an output that is not at its end.
    #[must_use]
    pub fn are_open(&self, exec_id: &str) -> bool {
        self.outputs_of(exec_id).next().is_some()
    }

    /// Whether somebody has not taken yet what the container wrote before its end.
    #[must_use]
    pub fn have_rest(&self) -> bool {
        self.pumps.values().any(|open| open.role == Role::Rest)
    }

    /// How many bytes came so far from the outputs of a process that are not at their end.
    #[must_use]
    pub fn brought(&self, exec_id: &str) -> u64 {
        self.outputs_of(exec_id).map(|open| open.pump.brought()).sum()
    }

    fn outputs_of(&self, exec_id: &str) -> impl Iterator<Item = &OpenPump> {
        self.pumps.values().filter(move |open| open.role == Role::Output && open.exec_id == exec_id)
    }

    fn tokens(&self, are: impl Fn(&OpenPump) -> bool) -> Vec<Token> {
        self.pumps.iter().filter(|(_, open)| are(open)).map(|(token, _)| *token).collect()
    }
}
