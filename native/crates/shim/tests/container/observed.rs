//! What tests look at: processes, cgroups and logs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Entries of a CRI log without their times.
pub fn entries(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| line.split_once(' ').map_or(line, |(_, entry)| entry).to_owned()).collect()
}

/// Whether a process exists and is no zombie.
pub fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Signals one process.
pub fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 1).and_then(rustix::process::Pid::from_raw);
    let _ = rustix::process::kill_process(pid.expect("a pid"), signal);
}

/// The container's cgroup in each hierarchy that has it.
pub fn cgroups_of(id: &str) -> Vec<PathBuf> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").expect("cgroups").flatten().map(|entry| entry.path());
    let of = |dir: PathBuf| dir.join(id).join("c");
    hierarchies.chain(["/sys/fs/cgroup".into()]).map(of).filter(|dir| dir.exists()).collect()
}

/// Waits until something holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end || std::thread::panicking(), "not within 10 s: {what}");
        if Instant::now() >= end {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
