use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// The process groups that end with the agent.
#[derive(Default)]
pub struct Groups(Mutex<State>);

#[derive(Default)]
struct State {
    running: HashSet<Pid>,
    ended: bool,
}

/// Takes its group out when dropped. That must happen before the leader is reaped: afterwards the number may belong to
/// somebody else.
pub struct Membership<'a> {
    groups: &'a Groups,
    leader: Pid,
}

impl Groups {
    /// Adds the group of a leader that was just started.
    pub fn enter(&self, leader: Pid) -> Membership<'_> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.running.insert(leader);
        if state.ended {
            kill(leader);
        }
        Membership { groups: self, leader }
    }

    /// Kills every group, also those still to come.
    pub fn kill_all(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.ended = true;
        state.running.iter().copied().for_each(kill);
    }
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        self.groups.0.lock().unwrap_or_else(PoisonError::into_inner).running.remove(&self.leader);
    }
}

fn kill(leader: Pid) {
    // Gone already is as good.
    let _ = kill_process_group(leader, Signal::KILL);
}
