use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use super::patience::Patience;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, Result, read, write};

const BUFFER: usize = 64 << 10;
/// Reads per round: all that a pipe can hold, and few enough that a program which writes without end is still held to
/// its deadline.
const READS: usize = 16;

/// How a program's run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Exited,
    /// It is still there, and nobody waits for it any more.
    Overdue,
}

/// Feeds a program and drains it at the same time, so that neither side blocks the other.
pub struct Pump {
    input: Option<Input>,
    stdout: Output,
    stderr: Output,
}

struct Input {
    pipe: File,
    content: Vec<u8>,
    written: usize,
}

struct Output {
    /// `None` once the other side is closed.
    pipe: Option<OwnedFd>,
    kept: Vec<u8>,
    max: usize,
}

impl Pump {
    pub fn new(input: Option<(File, Vec<u8>)>, (stdout, stderr): (OwnedFd, OwnedFd), max: usize) -> Result<Self> {
        let input = input.map(|(pipe, content)| Input { pipe, content, written: 0 });
        if let Some(input) = &input {
            set_nonblocking(&input.pipe)?;
        }
        Ok(Self { input, stdout: Output::new(stdout, max)?, stderr: Output::new(stderr, max)? })
    }

    /// Works until the program ends or the patience with it does. Pipes that children of the program keep open are not waited
    /// for: a shim leaves such children on purpose.
    pub fn run(&mut self, pidfd: BorrowedFd<'_>, patience: &mut Patience) -> Result<End> {
        loop {
            let exited = match self.wait(pidfd, patience) {
                Err(Errno::INTR) => continue,
                other => other?,
            };
            self.feed()?;
            self.stdout.drain()?;
            self.stderr.drain()?;
            if exited {
                return Ok(End::Exited);
            }
            if patience.is_over() {
                return Ok(End::Overdue);
            }
        }
    }

    pub fn stdout(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.stdout.kept)
    }

    pub fn stderr(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.stderr.kept)
    }

    /// Waits for anything to do; true when the program has ended.
    fn wait(&self, pidfd: BorrowedFd<'_>, patience: &mut Patience) -> Result<bool> {
        let mut fds = vec![PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
        let outputs = [&self.stdout, &self.stderr].into_iter().filter_map(|output| output.pipe.as_ref());
        fds.extend(outputs.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        fds.extend(self.input.iter().map(|input| PollFd::new(&input.pipe, PollFlags::OUT)));
        fds.extend(patience.left().map(|left| PollFd::from_borrowed_fd(left, PollFlags::IN)));
        poll(&mut fds, patience.deadline.map(time_left).as_ref())?;
        let exited = !fds[0].revents().is_empty();
        patience.look();
        Ok(exited)
    }

    fn feed(&mut self) -> Result<()> {
        if let Some(input) = &mut self.input
            && input.write()?
        {
            // Closed, so that the program sees the end.
            self.input = None;
        }
        Ok(())
    }
}

impl Input {
    /// Writes what fits; true when there is nothing left to do.
    fn write(&mut self) -> Result<bool> {
        while self.written < self.content.len() {
            match write(&self.pipe, &self.content[self.written..]) {
                Ok(count) => self.written += count,
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => {}
                // The program does not want to read it.
                Err(Errno::PIPE) => return Ok(true),
                Err(errno) => return Err(errno),
            }
        }
        Ok(true)
    }
}

impl Output {
    fn new(pipe: OwnedFd, max: usize) -> Result<Self> {
        set_nonblocking(&pipe)?;
        Ok(Self { pipe: Some(pipe), kept: Vec::new(), max })
    }

    /// Reads what is there; beyond the maximum it is thrown away, so that the program never blocks.
    fn drain(&mut self) -> Result<()> {
        let mut buffer = [0; BUFFER];
        for _ in 0..READS {
            let Some(pipe) = &self.pipe else {
                return Ok(());
            };
            match read(pipe.as_fd(), &mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    let keep = count.min(self.max - self.kept.len());
                    self.kept.extend_from_slice(&buffer[..keep]);
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

fn set_nonblocking(fd: impl AsFd) -> Result<()> {
    let flags = fcntl_getfl(&fd)?;
    fcntl_setfl(&fd, flags | OFlags::NONBLOCK)
}

fn time_left(deadline: Instant) -> Timespec {
    let left = deadline.saturating_duration_since(Instant::now());
    Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: i64::from(left.subsec_nanos()) }
}
