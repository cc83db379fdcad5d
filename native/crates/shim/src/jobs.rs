//! The runtime processes under way.

use std::collections::{BTreeMap, HashMap};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use ttrpc::Status;

use crate::clients::Reply;
use crate::container::Container;
use crate::job::Job;
use crate::runtime::{Inherited, Order, Verb};

/// How long a runtime may still take to make a process that is to be killed: killed midway it leaves more behind.
const KILL_PATIENCE: Duration = Duration::from_secs(1);
/// Exits of processes that nobody has claimed yet.
const MAX_UNCLAIMED: usize = 256;

/// Runtime processes, and the ends of processes that they may be making.
#[derive(Debug, Default)]
pub struct Jobs {
    under_way: HashMap<u32, Job>,
    unclaimed: BTreeMap<u32, ExitStatus>,
    serial: u64,
}

impl Jobs {
    /// Starts a runtime process, whose end answers the call.
    ///
    /// # Errors
    /// That of starting the runtime.
    pub fn begin(
        &mut self,
        container: &Container,
        reply: Reply,
        (verb, streams): (Verb, Inherited),
    ) -> Result<(), Status> {
        let log = container.bundle.join(format!("runtime-{}.log", self.next_serial()));
        let order = Order { id: &container.id, verb: &verb, log };
        let invocation = container.runtime().begin(&order, streams)?;
        self.under_way.insert(invocation.pid(), Job::new(verb, reply, invocation));
        Ok(())
    }

    /// A number that nothing had before, for the names of files.
    pub const fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// The job of this pid, which has ended.
    pub fn take(&mut self, pid: u32) -> Option<Job> {
        self.under_way.remove(&pid)
    }

    /// Whether a runtime is at work on this process, the main one for an empty id.
    #[must_use]
    pub fn make(&self, exec_id: &str) -> bool {
        self.under_way.values().any(|job| job.verb.makes(exec_id))
    }

    /// Has those end soon that make this process, the main one for an empty id.
    pub fn hurry(&mut self, exec_id: &str) {
        let soon = Instant::now() + KILL_PATIENCE;
        self.under_way.values_mut().filter(|job| job.verb.makes(exec_id)).for_each(|job| job.hurry(soon));
    }

    /// When the next of them is to be killed.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.under_way.values().filter_map(Job::due).min()
    }

    /// Kills those whose time is up; whether one of them was making the main process.
    pub fn cut_overdue(&mut self) -> bool {
        let (now, mut main) = (Instant::now(), false);
        for job in self.under_way.values_mut().filter(|job| job.due().is_some_and(|due| due <= now)) {
            job.cut();
            main |= job.verb.makes("");
        }
        main
    }

    /// Keeps the end of a process whose pid a runtime may tell yet.
    pub fn keep_end(&mut self, pid: u32, status: ExitStatus) {
        if self.is_empty() {
            return;
        }
        if self.unclaimed.len() >= MAX_UNCLAIMED {
            self.unclaimed.pop_first();
        }
        self.unclaimed.insert(pid, status);
    }

    /// Forgets the ends that were not claimed when there is no runtime any more: nobody will, and another process may get the
    /// number.
    pub fn settle(&mut self) {
        if self.is_empty() {
            self.unclaimed.clear();
        }
    }

    /// The end of a process that ended before the runtime told its pid.
    pub fn claim(&mut self, pid: u32) -> Option<ExitStatus> {
        self.unclaimed.remove(&pid)
    }

    /// Whether this process ended before the runtime told its pid.
    #[must_use]
    pub fn have_end_of(&self, pid: u32) -> bool {
        self.unclaimed.contains_key(&pid)
    }
}
