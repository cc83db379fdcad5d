//! Processes found by their command lines, for when nobody is left who knows their numbers.

use std::fs;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

/// A killed process that is still there after this long is stuck in the kernel, and no longer acts.
const KILL_PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
const ROUNDS: usize = 10;
const PAUSE: Duration = Duration::from_millis(5);

/// Kills every process whose words match, also those that a matching one forks meanwhile, and waits for their end.
pub fn kill_all(matches: impl Fn(&[&str]) -> bool) {
    for _ in 0..ROUNDS {
        let found = find(&matches);
        for process in &found {
            // Gone already is as good.
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
        for process in &found {
            let _ = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&KILL_PATIENCE));
        }
        if found.is_empty() {
            return;
        }
    }
}

/// Waits until no process matches, at most so long.
pub fn wait_for_end(matches: impl Fn(&[&str]) -> bool, patience: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < patience && !find(&matches).is_empty() {
        thread::sleep(PAUSE);
    }
}

/// Handles of the matching processes but for our own. One that has ended has no words.
fn find(matches: impl Fn(&[&str]) -> bool) -> Vec<OwnedFd> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    let matching = |pid: Pid| {
        // The handle comes first: a number used anew must not be taken for the process that was looked at.
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        let text = fs::read_to_string(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
        let words: Vec<&str> = text.split_terminator('\0').collect();
        (!words.is_empty() && matches(&words)).then_some(handle)
    };
    pids.filter(|pid| *pid != getpid()).filter_map(matching).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn processes_are_waited_for_and_killed_by_their_words() {
        let mark = format!("60.{}", std::process::id());
        let matches = |words: &[&str]| words == ["sleep", mark.as_str()];
        let mut child = Command::new("sleep").arg(&mark).spawn().expect("starts");
        while find(matches).is_empty() {
            thread::sleep(PAUSE);
        }
        wait_for_end(matches, Duration::from_millis(50));
        assert_eq!(find(matches).len(), 1);
        let reaper = thread::spawn(move || child.wait().expect("ends"));
        kill_all(matches);
        assert!(find(matches).is_empty());
        assert!(!reaper.join().expect("joins").success());
        wait_for_end(matches, Duration::from_secs(60));
    }
}
