//! Processes found by what they were started with, for when nobody is left who knows their numbers, and their children.

use std::collections::BTreeMap;
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

/// Which list of words of a process is meant.
#[derive(Debug, Clone, Copy)]
pub enum Words {
    Arguments,
    Environment,
}

/// Kills every process whose words match with all that came from it, also those that one forks meanwhile, and waits for the
/// ends of those that match.
pub fn kill_all(words: Words, matches: impl Fn(&[&str]) -> bool) {
    for _ in 0..ROUNDS {
        let found = find(words, &matches);
        if found.is_empty() {
            return;
        }
        let tree = kill_with_descendants(found);
        for process in tree.values() {
            let _ = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&KILL_PATIENCE));
        }
    }
}

/// Waits until no process matches, at most so long.
pub fn wait_for_end(words: Words, matches: impl Fn(&[&str]) -> bool, patience: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < patience && !find(words, &matches).is_empty() {
        thread::sleep(PAUSE);
    }
}

/// Kills a process and all that came from it.
pub fn kill_tree(root: Pid) {
    if let Ok(handle) = pidfd_open(root, PidfdFlags::empty()) {
        kill_with_descendants(BTreeMap::from([(number(root), handle)]));
    }
}

/// By standing still first: what stands still starts nothing.
fn kill_with_descendants(roots: BTreeMap<i32, OwnedFd>) -> BTreeMap<i32, OwnedFd> {
    signal_all(roots.values(), Signal::STOP);
    let mut tree = roots;
    for _ in 0..ROUNDS {
        let known = tree.keys().copied().filter_map(Pid::from_raw);
        let new: BTreeMap<i32, OwnedFd> = known
            .flat_map(children)
            .filter(|pid| !tree.contains_key(&number(*pid)))
            .filter_map(|pid| Some((number(pid), pidfd_open(pid, PidfdFlags::empty()).ok()?)))
            .collect();
        if new.is_empty() {
            break;
        }
        signal_all(new.values(), Signal::STOP);
        tree.extend(new);
    }
    signal_all(tree.values(), Signal::KILL);
    tree
}

fn signal_all<'a>(processes: impl IntoIterator<Item = &'a OwnedFd>, signal: Signal) {
    for process in processes {
        // Gone already is as good.
        let _ = pidfd_send_signal(process, signal);
    }
}

fn number(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

/// Of all of its threads.
fn children(pid: Pid) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers: Vec<i32> = lists
        .flat_map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>())
        .collect();
    numbers.into_iter().filter_map(Pid::from_raw).collect()
}

/// The matching processes but for our own. One that has ended has no words.
fn find(words: Words, matches: impl Fn(&[&str]) -> bool) -> BTreeMap<i32, OwnedFd> {
    let file = match words {
        Words::Arguments => "cmdline",
        Words::Environment => "environ",
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    let matching = |pid: Pid| {
        // The handle comes first: a number used anew must not be taken for the process that was looked at.
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        let bytes = fs::read(format!("/proc/{}/{file}", pid.as_raw_nonzero())).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let words: Vec<&str> = text.split_terminator('\0').collect();
        (!words.is_empty() && matches(&words)).then_some((number(pid), handle))
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
        while find(Words::Arguments, matches).is_empty() {
            thread::sleep(PAUSE);
        }
        wait_for_end(Words::Arguments, matches, Duration::from_millis(50));
        assert_eq!(find(Words::Arguments, matches).len(), 1);
        let reaper = thread::spawn(move || child.wait().expect("ends"));
        kill_all(Words::Arguments, matches);
        assert!(find(Words::Arguments, matches).is_empty());
        assert!(!reaper.join().expect("joins").success());
        wait_for_end(Words::Arguments, matches, Duration::from_secs(60));
    }

    #[test]
    fn a_process_is_found_by_its_environment_and_killed_with_all_that_came_from_it() {
        let mark = format!("BERTH_TEST={}", std::process::id());
        let matches = |words: &[&str]| words.contains(&mark.as_str());
        let script = "setsid sleep 61 & (setsid sh -c 'sleep 62 & sleep 63' &) ; sleep 64";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .env("BERTH_TEST", std::process::id().to_string())
            .spawn()
            .expect("starts");
        let begun = Instant::now();
        while find(Words::Environment, matches).len() < 5 && begun.elapsed() < Duration::from_secs(20) {
            thread::sleep(PAUSE);
        }
        let pid = Pid::from_raw(child.id().cast_signed()).expect("a number");
        // What has lost its parent is nobody's child here; a shim is the one to whom it comes.
        let orphans = find(Words::Environment, matches).len() - 1 - children(pid).len();
        kill_tree(pid);
        assert!(!child.wait().expect("ends").success());
        let begun = Instant::now();
        while find(Words::Environment, matches).len() > orphans && begun.elapsed() < Duration::from_secs(20) {
            thread::sleep(PAUSE);
        }
        assert_eq!(find(Words::Environment, matches).len(), orphans);
        kill_all(Words::Environment, matches);
        assert!(find(Words::Environment, matches).is_empty());
    }
}
