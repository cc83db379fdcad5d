//! berth-pause: pid 1 of a pod that shares its PID namespace. Reaps orphans until it is told to end.
//!
//! Its standard input is a socket to its starter:
//!
//! ```text
//!   ◀── "ready\n", or what is wrong    nothing of the host is in its reach any more
//!   one byte ──▶                       the namespace is pinned: live on
//! ```
//!
//! A starter that died before that byte leaves no process behind.

mod withdraw;

use std::io;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, WaitOptions, wait};
use sys::SignalFd;

const CHLD: i32 = Signal::CHILD.as_raw();
const TERM: i32 = Signal::TERM.as_raw();
const INT: i32 = Signal::INT.as_raw();

fn main() -> ExitCode {
    match pause() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever is not there any more needs no answer.
            let _ = tell(&format!("{error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn pause() -> io::Result<()> {
    // It is started from an open file, whose number would be its name in ps.
    rustix::thread::set_name(c"berth-pause")?;
    let signals = SignalFd::new(&[CHLD, TERM, INT])?;
    withdraw::withdraw()?;
    tell("ready\n")?;
    if !wanted()? {
        return Ok(());
    }
    loop {
        match poll(&mut [PollFd::new(&signals, PollFlags::IN)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        while let Some(signal) = signals.take() {
            if signal != CHLD {
                return Ok(());
            }
        }
        // One SIGCHLD may stand for many children.
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    }
}

fn tell(line: &str) -> rustix::io::Result<()> {
    rustix::io::write(rustix::stdio::stdin(), line.as_bytes()).map(drop)
}

/// Waits for the byte, or for the end of whoever owes it.
fn wanted() -> io::Result<bool> {
    loop {
        match rustix::io::read(rustix::stdio::stdin(), &mut [0]) {
            Ok(count) => return Ok(count > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
