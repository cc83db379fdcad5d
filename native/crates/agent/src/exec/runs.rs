use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::write;

use crate::proto::{Empty, LeaveExecRequest};

/// The programs that callers may leave, by the numbers that these gave them.
#[derive(Default)]
pub struct Runs {
    numbered: Mutex<HashMap<u32, Weak<OwnedFd>>>,
}

impl Runs {
    /// To be called in the order in which calls arrive, so that none is left before it is known. What it returns becomes
    /// readable when the caller leaves; `None` for number 0, and where the kernel has no descriptor left.
    pub fn enter(&self, number: u32) -> Option<Arc<OwnedFd>> {
        if number == 0 {
            return None;
        }
        let left = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok()?);
        let mut numbered = self.numbered.lock().unwrap_or_else(PoisonError::into_inner);
        numbered.retain(|_, left| left.strong_count() > 0);
        numbered.insert(number, Arc::downgrade(&left));
        Some(left)
    }

    /// One that has ended is left already.
    pub fn leave(&self, request: &LeaveExecRequest) -> Empty {
        let numbered = self.numbered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = numbered.get(&request.number).and_then(Weak::upgrade) {
            // Of eight bytes it takes all or, being full, none, and then it is readable.
            let _ = write(&left, &1_u64.to_ne_bytes());
        }
        Empty {}
    }
}
