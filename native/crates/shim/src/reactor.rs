//! epoll with a token for each descriptor.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};

pub use rustix::event::epoll::EventFlags;

/// What a descriptor is to the shim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Signals,
    Listener,
    Client,
    /// What a process writes, or what a client types.
    Stream,
    /// The kernel's word on the container's memory.
    Memory,
}

const KINDS: [Kind; 5] = [Kind::Signals, Kind::Listener, Kind::Client, Kind::Stream, Kind::Memory];

/// Names a registered descriptor. Tokens sort by when they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    number: u64,
    pub kind: Kind,
}

impl Token {
    const fn data(self) -> epoll::EventData {
        epoll::EventData::new_u64(self.number << 8 | self.kind as u64)
    }

    fn of(data: u64) -> Option<Self> {
        let kind = KINDS.into_iter().find(|kind| *kind as u64 == data & 0xff)?;
        Some(Self { number: data >> 8, kind })
    }
}

/// Waits for many descriptors at once. Those who own the descriptors share it.
#[derive(Debug)]
pub struct Reactor {
    epoll: OwnedFd,
    next: Cell<u64>,
}

const EVENTS_AT_ONCE: usize = 32;

impl Reactor {
    /// # Errors
    /// That of epoll_create1(2).
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?, next: Cell::new(0) })
    }

    /// Watches a descriptor for something to read.
    ///
    /// # Errors
    /// That of epoll_ctl(2).
    pub fn add(&self, fd: impl AsFd, kind: Kind) -> io::Result<Token> {
        let token = Token { number: self.next.replace(self.next.get() + 1), kind };
        self.resume(fd, token)?;
        Ok(token)
    }

    /// Changes what a descriptor is watched for.
    ///
    /// # Errors
    /// That of epoll_ctl(2).
    pub fn modify(&self, fd: impl AsFd, token: Token, flags: EventFlags) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, token.data(), flags)?)
    }

    /// Watches a descriptor again that `remove` was called for, under its old token.
    ///
    /// # Errors
    /// That of epoll_ctl(2).
    pub fn resume(&self, fd: impl AsFd, token: Token) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, token.data(), EventFlags::IN)?)
    }

    /// Stops watching; call it before the descriptor is closed.
    pub fn remove(&self, fd: impl AsFd) {
        // Only a descriptor that is not watched fails, and then the end is reached already.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// The tokens with events, after at most `timeout`.
    ///
    /// # Errors
    /// That of epoll_wait(2).
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<(Token, EventFlags)>> {
        let mut events = Vec::with_capacity(EVENTS_AT_ONCE);
        let timeout = timeout.and_then(|duration| Timespec::try_from(duration).ok());
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(events.iter().filter_map(|event| Some((Token::of(event.data.u64())?, event.flags))).collect())
    }
}
