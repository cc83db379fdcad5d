//! What an agent before us left running: itself, if it has not noticed yet that berthd is gone, and the programs that it
//! started. A network plugin that is cut off may leave half an address or half a rule, which no later call finds again.
//! So programs outlive their agent, and the next one on the same root waits for them before it serves.
//!
//! Names and environments are anybody's: a process of a container may look as it likes. What tells is that it lies in a
//! mount namespace of its own, as all of theirs do and none of ours does.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::stat;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};
use serde_json::json;

use crate::log;

/// Longer than a plugin takes that works at all.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is left of a killed process for this long is stuck in the kernel, and no longer acts.
const KILL_PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);

/// The entry in the environment of programs that tells whose they are; their children inherit it.
pub fn mark(root: &Path) -> String {
    format!("BERTH_AGENT_ROOT={}", root.display())
}

/// Ends agents on this root and waits until no program of theirs runs, killing what takes too long.
pub fn settle(root: &Path) {
    let mark = mark(root);
    let begun = Instant::now();
    loop {
        let processes = others();
        kill(processes.iter().filter(|other| other.is_agent_of(root)));
        let left: Vec<&Other> =
            processes.iter().filter(|other| other.is_agent_of(root) || other.carries(&mark)).collect();
        if left.is_empty() {
            return;
        }
        if begun.elapsed() > PATIENCE + KILL_PATIENCE {
            log::error("processes of an earlier agent cannot be killed", &json!({ "pids": pids(&left) }));
            return;
        }
        if begun.elapsed() > PATIENCE {
            log::warn("programs of an earlier agent take too long and are killed", &json!({ "pids": pids(&left) }));
            kill(left.into_iter());
        }
        thread::sleep(PAUSE);
    }
}

/// A process as it was when its handle was taken; the handle never means another one.
struct Other {
    pid: Pid,
    handle: OwnedFd,
    command_line: Vec<u8>,
    environment: Vec<u8>,
}

impl Other {
    /// `None` for one that has ended, is a kernel thread or sees other mounts than we do.
    fn look(pid: Pid, mounts: u64) -> Option<Self> {
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        if mounts_of(pid)? != mounts {
            return None;
        }
        let read = |file: &str| fs::read(format!("/proc/{}/{file}", pid.as_raw_nonzero())).ok();
        let other = Self { pid, handle, command_line: read("cmdline")?, environment: read("environ")? };
        (!other.command_line.is_empty()).then_some(other)
    }

    fn is_agent_of(&self, root: &Path) -> bool {
        let words: Vec<&[u8]> = self.command_line.split(|byte| *byte == 0).collect();
        words[0].ends_with(b"berth-agent")
            && words.windows(2).any(|pair| pair == [b"--root".as_slice(), root.as_os_str().as_bytes()])
    }

    fn carries(&self, mark: &str) -> bool {
        self.environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    }
}

/// The mount namespace of a process.
fn mounts_of(pid: Pid) -> Option<u64> {
    stat(format!("/proc/{}/ns/mnt", pid.as_raw_nonzero())).ok().map(|stat| stat.st_ino)
}

fn others() -> Vec<Other> {
    let Some(mounts) = mounts_of(getpid()) else {
        return Vec::new();
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter(|pid| *pid != getpid()).filter_map(|pid| Other::look(pid, mounts)).collect()
}

fn kill<'a>(processes: impl Iterator<Item = &'a Other>) {
    for process in processes {
        // Gone already is as good.
        let _ = pidfd_send_signal(&process.handle, Signal::KILL);
    }
}

fn pids(processes: &[&Other]) -> Vec<i32> {
    processes.iter().map(|other| other.pid.as_raw_nonzero().get()).collect()
}
