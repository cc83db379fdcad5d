//! berth-pause as what it is for: pid 1 of a PID namespace. Needs root.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

/// A pause process in a PID namespace of its own, below the `unshare` that waits for it.
struct Pause {
    unshare: Child,
    leash: Option<UnixStream>,
    pid: u32,
}

impl Pause {
    fn start() -> Option<Self> {
        if !geteuid().is_root() {
            println!("skipped: a PID namespace needs root");
            return None;
        }
        let (mut leash, stdin) = UnixStream::pair().expect("a socket");
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", env!("CARGO_BIN_EXE_berth-pause")]);
        let unshare = command.stdin(OwnedFd::from(stdin)).spawn().expect("unshare");
        // Both hold the other end.
        drop(command);
        let mut word = [0; 6];
        leash.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        leash.read_exact(&mut word).expect("an answer");
        assert_eq!(&word, b"ready\n");
        let pid = children(unshare.id()).first().copied().expect("a child");
        Some(Self { unshare, leash: Some(leash), pid })
    }

    /// As its starter does once the namespace is pinned.
    fn unleash(&mut self) {
        self.leash.take().expect("a leash").write_all(b"\n").expect("written");
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
    drop(pause.leash.take());
    assert!(pause.unshare.wait().expect("ends").success());
}

#[test]
fn nothing_of_the_host_is_in_its_reach() {
    let Some(pause) = Pause::start() else { return };
    for path in ["", "/..", "/../.."] {
        let root = format!("/proc/{}/root{path}/", pause.pid);
        assert_eq!(fs::read_dir(&root).expect(&root).count(), 0, "{root}");
    }
    let status = fs::read_to_string(format!("/proc/{}/status", pause.pid)).expect("a status");
    for line in
        ["CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"]
    {
        assert!(status.contains(line), "{line} in {status}");
    }
}

#[test]
fn who_may_not_trace_may_not_look_into_it() {
    let Some(pause) = Pause::start() else { return };
    let root = format!("/proc/{}/root/", pause.pid);
    let look = Command::new("setpriv").args(["--bounding-set=-sys_ptrace", "ls", &root]).stderr(Stdio::null()).status();
    assert!(!look.expect("setpriv").success());
}
