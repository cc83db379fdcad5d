//! What the shim holds: one container.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ttrpc::{Code, Status};

use crate::exit;
use crate::options::Options;
use crate::process::Process;
use crate::runtime::{Runtime, works_on};
use cgroup::{CgroupPaths, OomWatch};
use processes::Words;

/// The container between Create and Delete.
#[derive(Debug)]
pub struct Container {
    pub id: String,
    pub bundle: PathBuf,
    pub options: Options,
    pub init: Process,
    pub execs: BTreeMap<String, Process>,
    /// Where the spec puts its cgroup; the bundle may be lost before it ends.
    pub spec_cgroup: String,
    /// Known once the main process exists.
    pub cgroup: Option<CgroupPaths>,
    pub oom: OomWatch,
    /// How many of its processes had been killed for memory when a client asked to kill it.
    pub oom_kills_before_kill: u64,
    /// How it ended is on the disk.
    pub recorded: bool,
    /// Where the start's time went, in microseconds.
    pub micros: BTreeMap<String, u64>,
    /// The runtime knows the container: it must be told to delete it.
    pub at_runtime: bool,
    /// The images that Start restores the container from, instead of running its program.
    pub checkpoint: Option<PathBuf>,
}

impl Container {
    /// A process by its exec id; the main one for an empty id.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub fn find(&mut self, exec_id: &str) -> Result<&mut Process, Status> {
        let missing = || Status::new(Code::NotFound, format!("exec {exec_id} is not created"));
        let process = if exec_id.is_empty() { Some(&mut self.init) } else { self.execs.get_mut(exec_id) };
        process.ok_or_else(missing)
    }

    /// The process with this pid.
    pub fn process_of_pid(&mut self, pid: u32) -> Option<&mut Process> {
        std::iter::once(&mut self.init).chain(self.execs.values_mut()).find(|process| process.pid == pid)
    }

    pub fn processes_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        std::iter::once(&mut self.init).chain(self.execs.values_mut())
    }

    /// What keeps the container.
    #[must_use]
    pub fn runtime(&self) -> &dyn Runtime {
        &self.options.runtime
    }

    /// Whether the runtime makes and starts the main process in one call, when it is started.
    #[must_use]
    pub const fn runs_on_start(&self) -> bool {
        self.options.run_on_start || self.checkpoint.is_some()
    }

    /// Kills what its runtime left that is no child of it any more, and what is in the cgroup that the spec names, for when no
    /// process of it is known.
    pub fn kill_unknown(&self) {
        processes::kill_all(Words::Environment, works_on(&self.id));
        if let Some(cgroup) = CgroupPaths::at(&self.spec_cgroup) {
            cgroup.kill();
        }
    }

    /// Removes what a runtime that did not clear up after itself left.
    pub fn sweep(&self) {
        self.remove_left_cgroup();
        self.runtime().forget(&self.id);
    }

    /// Removes the cgroup when there is no container any more, with what still is in it: crun leaves it when the kernel refuses a
    /// limit, and runc when it takes a while for those whom its `delete` killed to end.
    pub fn remove_left_cgroup(&self) {
        if let Some(cgroup) = CgroupPaths::at(&self.spec_cgroup) {
            cgroup.remove();
        }
    }

    #[must_use]
    pub fn rootfs(&self) -> PathBuf {
        self.bundle.join("rootfs")
    }

    /// Where the exit record is.
    #[must_use]
    pub fn exit_file(&self) -> PathBuf {
        let named = &self.options.exit_file;
        if named.as_os_str().is_empty() { self.bundle.join(exit::FILE) } else { named.clone() }
    }

    /// Notes how long a phase of the start took.
    pub fn measured(&mut self, phase: &str, took: Duration) {
        self.micros.insert(phase.to_owned(), u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }
}
