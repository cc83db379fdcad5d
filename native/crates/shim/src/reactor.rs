//! epoll with a token for each descriptor.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};

pub use rustix::event::epoll::EventFlags;

/// Names a registered descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(u64);

/// Waits for many descriptors at once.
#[derive(Debug)]
pub struct Reactor {
    epoll: OwnedFd,
    next: u64,
}

const EVENTS_AT_ONCE: usize = 32;

impl Reactor {
    /// # Errors
    /// That of epoll_create1(2).
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?, next: 0 })
    }

    /// Watches a descriptor.
    ///
    /// # Errors
    /// That of epoll_ctl(2).
    pub fn add(&mut self, fd: impl AsFd, flags: EventFlags) -> io::Result<Token> {
        let token = Token(self.next);
        self.next += 1;
        epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token.0), flags)?;
        Ok(token)
    }

    /// Changes what a descriptor is watched for.
    ///
    /// # Errors
    /// That of epoll_ctl(2).
    pub fn modify(&self, fd: impl AsFd, token: Token, flags: EventFlags) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, epoll::EventData::new_u64(token.0), flags)?)
    }

    /// Watches a descriptor again that `remove` was called for, under its old token.
    ///
    /// # Errors
    /// That of epoll_ctl(2).
    pub fn resume(&self, fd: impl AsFd, token: Token, flags: EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token.0), flags)?)
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
        Ok(events.iter().map(|event| (Token(event.data.u64()), event.flags)).collect())
    }
}
