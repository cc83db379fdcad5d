//! berth-pause as what it is for: pid 1 of a PID namespace. Needs root.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

/// A pause process in a PID namespace of its own, below the `unshare` that waits for it.
struct Pause {
    unshare: Child,
    pid: u32,
}

impl Pause {
    fn start() -> Option<Self> {
        if !geteuid().is_root() {
            println!("skipped: a PID namespace needs root");
            return None;
        }
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", env!("CARGO_BIN_EXE_berth-pause")]);
        let unshare = command.stdin(Stdio::piped()).spawn().expect("unshare");
        let mut pid = None;
        eventually("it takes signals", || {
            pid = children(unshare.id()).first().copied();
            pid.is_some_and(takes_signals)
        });
        Some(Self { unshare, pid: pid.expect("found") })
    }

    /// As its starter does once the namespace is pinned.
    fn unleash(&mut self) {
        self.unshare.stdin.take().expect("a leash").write_all(b"\n").expect("written");
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("signalled");
    }

    /// Runs a script in the namespace.
    fn run(&self, script: &str) {
        let status =
            Command::new("nsenter").args(["--pid", "--target", &self.pid.to_string(), "sh", "-c", script]).status();
        assert!(status.expect("nsenter").success());
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

/// The kernel drops a signal that pid 1 neither blocks nor handles, so none may be sent before. `unshare` blocks it, too,
/// until it becomes the program.
fn takes_signals(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigBlk:")?.trim(), 16).ok());
    status.starts_with("Name:\tberth-pause\n")
        && mask.is_some_and(|mask| mask & (1 << (Signal::TERM.as_raw() - 1)) != 0)
}

fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "not within 10 s: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn orphans_are_taken_in_and_reaped() {
    let Some(mut pause) = Pause::start() else { return };
    pause.unleash();
    pause.run("for n in 1 2 3; do (sleep 0.3 &); done");
    assert_eq!(children(pause.pid).len(), 3);
    eventually("all are reaped", || children(pause.pid).is_empty());
}

#[test]
fn it_ends_when_told_to() {
    for signal in [Signal::TERM, Signal::INT] {
        let Some(mut pause) = Pause::start() else { return };
        pause.unleash();
        pause.signal(signal);
        assert!(pause.unshare.wait().expect("ends").success());
    }
}

#[test]
fn a_starter_that_dies_before_the_namespace_is_pinned_leaves_none() {
    let Some(mut pause) = Pause::start() else { return };
    drop(pause.unshare.stdin.take());
    assert!(pause.unshare.wait().expect("ends").success());
}
