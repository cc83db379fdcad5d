//! berth-pause: pid 1 of a pod that shares its PID namespace. Reaps orphans until it is told to end.

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
            eprintln!("berth-pause: {error}");
            ExitCode::FAILURE
        }
    }
}

fn pause() -> io::Result<()> {
    let signals = SignalFd::new(&[CHLD, TERM, INT])?;
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
