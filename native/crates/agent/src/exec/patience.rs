use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long a program may still take whose caller has left: killed midway, a plugin leaves half an address behind.
const GRACE: Duration = Duration::from_secs(1);

/// How long a program is waited for.
pub struct Patience {
    /// When its caller asked for it.
    pub began: Instant,
    /// `None`: as long as the caller stays.
    pub deadline: Option<Instant>,
    /// Readable once the caller has left.
    left: Option<Arc<OwnedFd>>,
    hurried: bool,
}

impl Patience {
    /// The time runs from when the request `began` to wait, as its caller's does. 0 ms: no limit.
    pub fn new(began: Instant, timeout_ms: u32, left: Option<Arc<OwnedFd>>) -> Self {
        let timeout = (timeout_ms > 0).then(|| Duration::from_millis(u64::from(timeout_ms)));
        Self { began, deadline: timeout.and_then(|timeout| began.checked_add(timeout)), left, hurried: false }
    }

    /// Becomes readable when `look` should be called.
    pub fn left(&self) -> Option<BorrowedFd<'_>> {
        self.left.as_ref().filter(|_| !self.hurried).map(|left| left.as_fd())
    }

    /// Notices that the caller has left.
    pub fn look(&mut self) -> &Self {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // What cannot be looked at counts as not there.
        let left = |left| poll(&mut [PollFd::from_borrowed_fd(left, PollFlags::IN)], Some(&now)).unwrap_or(0) > 0;
        if self.left().is_some_and(left) {
            self.hurried = true;
            let soon = Instant::now() + GRACE;
            self.deadline = Some(self.deadline.map_or(soon, |deadline| deadline.min(soon)));
        }
        self
    }

    pub fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Whether nothing is to be begun any more.
    pub fn is_spent(&self) -> bool {
        self.hurried || self.is_over()
    }

    pub fn was_left(&self) -> bool {
        self.hurried
    }
}
