//! The part of the event loop that hears of ends: of processes that are the shim's to reap, and the one that it is asked for.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Signal, WaitOptions, WaitStatus, wait};

use super::Shim;
use crate::task;

/// What would end another program, besides the word of a child's end.
pub(super) const TAKEN: [Signal; 8] =
    [Signal::CHILD, Signal::PIPE, Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2];
/// Those that ask for the shim's end.
const ASKING: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::QUIT];
/// Exits of processes that nobody has claimed yet.
const MAX_UNCLAIMED: usize = 256;

impl Shim {
    pub(super) fn on_signals(&mut self) {
        // What would end another program must not end a container's keeper; but for a node that shuts down, nobody comes
        // any more to delete a container that has ended.
        while let Some(signal) = self.signals.take() {
            self.asked_to_end |= ASKING.iter().any(|asking| asking.as_raw() == signal);
        }
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let pid = u32::try_from(pid.as_raw_nonzero().get()).unwrap_or(0);
            self.on_reaped(pid, exit_status(status));
        }
    }

    fn on_reaped(&mut self, pid: u32, status: ExitStatus) {
        if let Some(job) = self.jobs.remove(&pid) {
            task::finish_job(self, job, status);
            for (reply, call) in std::mem::take(&mut self.deferred) {
                self.answer(reply, &call);
            }
            if self.jobs.is_empty() {
                // Whoever was not claimed by now never will be, and another process may get the number.
                self.unclaimed.clear();
            }
        } else if !task::exit::reaped(self, pid, status) && !self.jobs.is_empty() {
            if self.unclaimed.len() >= MAX_UNCLAIMED {
                self.unclaimed.pop_first();
            }
            self.unclaimed.insert(pid, status);
        }
    }

    /// The exit of a process that ended before the runtime told its pid.
    pub fn claim(&mut self, pid: u32) -> Option<ExitStatus> {
        self.unclaimed.remove(&pid)
    }

    /// Whether this process ended before the runtime told its pid.
    #[must_use]
    pub fn has_reaped(&self, pid: u32) -> bool {
        self.unclaimed.contains_key(&pid)
    }
}

fn exit_status(status: WaitStatus) -> ExitStatus {
    ExitStatus::from_raw(status.as_raw())
}
