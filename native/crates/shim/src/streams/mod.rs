//! `berth-shim streams BUNDLE`: the streams of a container that another shim keeps. FIFOs are all that every shim knows, so
//! their other ends are held here: the outputs go to the CRI log and to whoever attaches, and what those type to the stdin.

mod calls;
mod opened;
mod settings;

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use sys::{Forked, fork_single_threaded};

use crate::clients::{Clients, Reply};
use crate::event_loop::{Event, EventLoop};
use crate::outputs::Outputs;
use crate::pump::Pump;
use crate::sink::Sink;
use crate::start;
use opened::Opened;
use settings::Settings;

/// A shim copies what its container left within so long; after that only a child of the container's may have more to say.
const SILENCE: Duration = Duration::from_millis(250);
/// More than was on its way when a container ended, in pipes of the largest size there is by default and in its shim's hands:
/// what comes after so much is such a child's.
const ON_THE_WAY: u64 = 4 << 20;

/// Those who wait until the container, which has ended, is heard to its end.
struct Settling {
    callers: Vec<Reply>,
    quiet_since: Instant,
    /// What the outputs had brought before.
    before: u64,
    /// What they had brought by `quiet_since`.
    heard: u64,
}

/// What serves the streams. Signals ask it for nothing: everybody gets them while a node shuts down, when its containers say
/// their last words, and their outputs end with them.
struct Streams {
    settings: Settings,
    events: EventLoop,
    clients: Clients,
    outputs: Outputs,
    /// The shim has not been told that the container's stdin has ended.
    stdin_open: bool,
    settling: Option<Settling>,
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
        let events = EventLoop::new(opened.listener)?;
        let mut outputs = Outputs::new(events.reactor());
        let sink = |stream| if opened.log.is_some() { Sink::Log(stream) } else { Sink::Discard(stream) };
        // A FIFO that nobody has opened for writing yet is no event, so the shim may take its time.
        let pumps = opened.outputs.into_iter().map(|(stream, file)| Pump::new(file.into(), sink(stream))).collect();
        let stdin_open = opened.stdin.is_some();
        outputs.watch("", pumps, opened.stdin).map_err(io::Error::other)?;
        outputs.keep_log(opened.log);
        let (clients, settings) = (Clients::new(events.reactor()), opened.settings);
        Ok(Self { settings, events, clients, outputs, stdin_open, settling: None, _lock: opened._lock })
    }

    fn serve(&mut self) -> io::Result<()> {
        loop {
            match self.events.wait()? {
                Event::Accepted(stream) => self.clients.add(stream),
                Event::Client(token, flags) => {
                    for (reply, call) in self.clients.hear(token, flags) {
                        self.answer(reply, call);
                    }
                    self.clients.forget_if_left(token);
                }
                Event::Stream(token) => {
                    self.outputs.step(token);
                }
                Event::Timer => {
                    self.outputs.catch_up();
                    self.tell_settled();
                    if !self.outputs.are_open("") && !self.outputs.have_rest() {
                        return Ok(());
                    }
                    let patience = self.patience();
                    self.events.wake_within(patience);
                }
                // It has no children and no memory to watch.
                Event::AskedToEnd | Event::Reaped(..) | Event::Memory => {}
            }
            self.pass_on_end_of_stdin();
        }
    }

    fn patience(&self) -> Option<Duration> {
        let settled = self.settling.as_ref().map(|settling| SILENCE.saturating_sub(settling.quiet_since.elapsed()));
        settled.into_iter().chain(self.outputs.due()).min()
    }

    /// Nobody who listens in holds the container's last words back from the log.
    fn settle(&mut self, caller: Reply) {
        self.outputs.hurry("");
        let (quiet_since, before) = (Instant::now(), self.outputs.brought(""));
        let new = || Settling { callers: Vec::new(), quiet_since, before, heard: before };
        self.settling.get_or_insert_with(new).callers.push(caller);
    }

    /// Answers those who wait for the container's end once both outputs have ended, or nothing comes any more.
    fn tell_settled(&mut self) {
        let brought = self.outputs.brought("");
        let Some(settling) = &mut self.settling else { return };
        if brought != settling.heard {
            (settling.heard, settling.quiet_since) = (brought, Instant::now());
        }
        let may_have_more = brought.saturating_sub(settling.before) < ON_THE_WAY;
        if self.outputs.are_open("") && may_have_more && settling.quiet_since.elapsed() < SILENCE {
            return;
        }
        for caller in self.settling.take().map(|settling| settling.callers).unwrap_or_default() {
            self.clients.reply(caller, Ok(Vec::new()));
        }
    }

    /// The container is gone, though a straggler may still write: takes what is there and closes the last lines.
    fn finish(&mut self) {
        // Nobody reads any more.
        self.stdin_open = false;
        self.outputs.drain("");
        self.outputs.close("");
    }
}
