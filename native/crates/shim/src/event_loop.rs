//! What happens to the shim, one event after the other.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::{Signal, WaitOptions, wait};
use sys::SignalFd;

use crate::reactor::{EventFlags, Kind, Reactor, Token};

/// What would end another program, besides the word of a child's end.
const TAKEN: [Signal; 8] =
    [Signal::CHILD, Signal::PIPE, Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2];
/// Those that ask for the shim's end.
const ASKING: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::QUIT];

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// A client connected.
    Accepted(UnixStream),
    /// A client has said something, left, or takes more of its answers.
    Client(Token, EventFlags),
    /// An output or an input can be moved.
    Stream(Token),
    /// A child ended; its number may be another's from now on.
    Reaped(u32, ExitStatus),
    /// The kernel said something of the container's memory.
    Memory,
    /// A signal asked for the shim's end.
    AskedToEnd,
    /// All that had happened was dealt with, and nothing may have happened: the time for what is due.
    Timer,
}

/// Waits for events, of which each is told once. Children are reaped one by one, so that a process of which nobody has heard
/// yet that it ended still has its number.
#[derive(Debug)]
pub struct EventLoop {
    reactor: Rc<Reactor>,
    signals: SignalFd,
    listener: UnixListener,
    ready: VecDeque<(Token, EventFlags)>,
    /// Nothing was told since the last `Timer`.
    timer_told: bool,
    patience: Option<Duration>,
}

impl EventLoop {
    /// Events of a shim that serves `listener`. Signals are taken from here on.
    ///
    /// # Errors
    /// Those of epoll and signalfd.
    pub fn new(listener: UnixListener) -> io::Result<Self> {
        let reactor = Reactor::new()?;
        let signals = SignalFd::new(&TAKEN.map(Signal::as_raw))?;
        reactor.add(&signals, Kind::Signals)?;
        listener.set_nonblocking(true)?;
        reactor.add(&listener, Kind::Listener)?;
        let (reactor, ready) = (Rc::new(reactor), VecDeque::new());
        Ok(Self { reactor, signals, listener, ready, timer_told: true, patience: None })
    }

    /// Where descriptors are registered whose events are told here.
    #[must_use]
    pub fn reactor(&self) -> Rc<Reactor> {
        self.reactor.clone()
    }

    /// Hears at once what the kernel says of the container's memory, until the descriptor is closed.
    ///
    /// # Errors
    /// That of epoll_ctl(2).
    pub fn watch_memory(&self, word: impl AsFd) -> io::Result<()> {
        self.reactor.add(word, Kind::Memory).map(drop)
    }

    /// How long the next wait may take; for ever, unless this is said after each `Timer`.
    pub const fn wake_within(&mut self, patience: Option<Duration>) {
        self.patience = patience;
    }

    /// The next event.
    ///
    /// # Errors
    /// That of epoll_wait(2).
    pub fn wait(&mut self) -> io::Result<Event> {
        loop {
            while let Some(&(token, flags)) = self.ready.front() {
                if let Some(event) = self.told_by(token, flags) {
                    return Ok(event);
                }
            }
            if !std::mem::replace(&mut self.timer_told, true) {
                return Ok(Event::Timer);
            }
            self.ready.extend(self.reactor.wait(self.patience.take())?);
            self.timer_told = false;
        }
    }

    /// The next event of the descriptor in front, which goes once it has no more to tell.
    fn told_by(&mut self, token: Token, flags: EventFlags) -> Option<Event> {
        let (event, has_more) = match token.kind {
            Kind::Signals => (self.signalled(), true),
            Kind::Listener => (self.listener.accept().ok().map(|(stream, _)| Event::Accepted(stream)), true),
            Kind::Client => (Some(Event::Client(token, flags)), false),
            Kind::Stream => (Some(Event::Stream(token)), false),
            Kind::Memory => (Some(Event::Memory), false),
        };
        if !has_more || event.is_none() {
            self.ready.pop_front();
        }
        event
    }

    fn signalled(&self) -> Option<Event> {
        let mut asked = false;
        while let Some(signal) = self.signals.take() {
            asked |= ASKING.iter().any(|asking| asking.as_raw() == signal);
        }
        if asked { Some(Event::AskedToEnd) } else { reap() }
    }
}

fn reap() -> Option<Event> {
    let (pid, status) = wait(WaitOptions::NOHANG).ok()??;
    let pid = u32::try_from(pid.as_raw_nonzero().get()).ok()?;
    Some(Event::Reaped(pid, ExitStatus::from_raw(status.as_raw())))
}
