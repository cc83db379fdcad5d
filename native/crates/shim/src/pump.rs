//! Moving a process's output from its pipe or terminal to where it belongs.

use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use crate::log_writer::{LogWriter, Stream};
use crate::reactor::Token;
use crate::sink::Sink;
use crate::taps::Taps;

/// Reads that empty a pipe of the largest size there is by default, one MiB.
pub const LAST_STEPS: usize = 17;

/// What is kept of an output's beginning.
const HEAD_BYTES: usize = 4096;

/// One output of one process.
#[derive(Debug)]
pub struct Pump {
    pub source: OwnedFd,
    sink: Sink,
    taps: Taps,
    /// What came first, for as long as it may be the runtime's last words.
    head: Option<Vec<u8>>,
    /// The process is gone: what it left is taken even if somebody who listens in is slow.
    hurried: bool,
    brought: u64,
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There may be more.
    Moved,
    /// Nothing to read now.
    Idle,
    /// The sink takes no more for now.
    Full,
    /// The other side is closed.
    Ended,
}

impl Pump {
    #[must_use]
    pub const fn new(source: OwnedFd, sink: Sink) -> Self {
        Self { source, sink, taps: Taps::new(), head: Some(Vec::new()), hurried: false, brought: 0 }
    }

    /// Which of the container's outputs this is, if it is one that can be listened to.
    #[must_use]
    pub const fn stream(&self) -> Option<Stream> {
        self.sink.stream()
    }

    /// Lets a client listen in, through a descriptor that never blocks, at most until this input of its has ended.
    pub fn tap(&mut self, file: File, ends_with: Option<Token>) {
        self.taps.add(file, ends_with);
    }

    /// Whoever listens in until this input has ended gets what is there now, and then the end.
    pub fn let_go(&mut self, input: Token) {
        let there = rustix::io::ioctl_fionread(&self.source).unwrap_or(0);
        self.taps.end_after(input, there);
    }

    /// What was passed on to a reader who has not read it yet, as far as anybody can tell.
    #[must_use]
    pub fn unread(&self) -> u64 {
        if let Sink::Fifo(backlog) = &self.sink { backlog.unread() } else { 0 }
    }

    /// What came first; empty once it was forgotten.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.head.as_deref().unwrap_or_default()
    }

    /// What came and comes is the process's own.
    pub fn forget_head(&mut self) {
        self.head = None;
    }

    /// How many bytes came so far.
    #[must_use]
    pub const fn brought(&self) -> u64 {
        self.brought
    }

    /// Nobody who listens in holds the output back any more.
    pub const fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Gives those who listen in what they have not taken yet; true when nothing waits for them any more.
    pub fn flush_taps(&mut self) -> bool {
        self.taps.flush()
    }

    /// Moves at most one buffer full.
    pub fn step(&mut self, buffer: &mut [u8], log: Option<&mut LogWriter>) -> Progress {
        if let Sink::Fifo(backlog) = &mut self.sink
            && !backlog.flush()
        {
            return Progress::Full;
        }
        let goes_on = self.flush_taps() || (self.hurried && self.taps.have_room());
        if !goes_on {
            return Progress::Full;
        }
        match self.read(buffer) {
            Ok(0) => self.end(log),
            Ok(count) => {
                self.deliver(&buffer[..count], log);
                Progress::Moved
            }
            Err(Errno::AGAIN) => Progress::Idle,
            Err(Errno::INTR) => Progress::Moved,
            Err(_) => self.end(log),
        }
    }

    /// A terminal whose other side is closed says EIO. The kernel looks for bytes before it looks whether that side is closed,
    /// so a process that writes its last between the two is only heard by whoever reads again.
    fn read(&self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        match rustix::io::read(&self.source, &mut *buffer) {
            Err(error) if !matches!(error, Errno::AGAIN | Errno::INTR) => rustix::io::read(&self.source, buffer),
            result => result,
        }
    }

    fn end(&self, log: Option<&mut LogWriter>) -> Progress {
        self.sink.finish(log);
        Progress::Ended
    }

    fn deliver(&mut self, bytes: &[u8], log: Option<&mut LogWriter>) {
        self.brought += bytes.len() as u64;
        if let Some(head) = &mut self.head {
            head.extend_from_slice(&bytes[..bytes.len().min(HEAD_BYTES - head.len())]);
        }
        self.sink.take(bytes, log);
        self.taps.push(bytes);
    }

    /// What is left of an unfinished line is written when its container is gone.
    pub fn abandon(&self, log: Option<&mut LogWriter>) {
        self.end(log);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::UdpSocket;

    use rustix::fs::OFlags;
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    fn pipe() -> (File, File) {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("pipes");
        (read.into(), write.into())
    }

    fn source() -> (Pump, File) {
        let (read, write) = pipe();
        (Pump::new(read.into(), Sink::Discard(Stream::Stdout)), write)
    }

    fn heard(file: &mut File) -> String {
        let mut bytes = vec![0; 1024];
        let count = file.read(&mut bytes).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    #[test]
    fn all_who_listen_in_hear_the_same_from_when_they_came() {
        let mut buffer = [0; 1024];
        let (mut pump, mut process) = source();
        process.write_all(b"before ").expect("writes");
        assert_eq!(pump.step(&mut buffer, None), Progress::Moved);
        let ((mut one, tap_one), (mut two, tap_two)) = (pipe(), pipe());
        pump.tap(tap_one, None);
        pump.tap(tap_two, None);
        process.write_all(b"after").expect("writes");
        assert_eq!(pump.step(&mut buffer, None), Progress::Moved);
        assert_eq!((heard(&mut one), heard(&mut two)), ("after".to_owned(), "after".to_owned()));
    }

    #[test]
    fn one_who_is_slow_holds_back_and_one_who_left_does_not() {
        let mut buffer = vec![0; 64 << 10];
        let (mut pump, mut process) = source();
        let (mut reader, tap) = pipe();
        rustix::pipe::fcntl_setpipe_size(&tap, 4096).expect("resizes");
        pump.tap(tap, None);
        process.write_all(&[b'x'; 6000]).expect("writes");
        assert_eq!(pump.step(&mut buffer, None), Progress::Moved);
        process.write_all(b"more").expect("writes");
        assert_eq!(pump.step(&mut buffer, None), Progress::Full);
        let mut taken = Vec::new();
        assert!(reader.read_to_end(&mut taken).is_err(), "the end has not come");
        assert_eq!(pump.step(&mut buffer, None), Progress::Moved);
        drop(reader);
        process.write_all(b"to nobody").expect("writes");
        assert_eq!(pump.step(&mut buffer, None), Progress::Moved);
        assert_eq!(pump.step(&mut buffer, None), Progress::Idle);
    }

    #[test]
    fn the_end_of_the_process_waits_for_nobody() {
        let mut buffer = vec![0; 64 << 10];
        let (mut pump, mut process) = source();
        let (_reader, tap) = pipe();
        rustix::fs::fcntl_setfl(&tap, OFlags::NONBLOCK).expect("flags");
        rustix::pipe::fcntl_setpipe_size(&tap, 4096).expect("resizes");
        pump.tap(tap, None);
        process.write_all(&[b'x'; 6000]).expect("writes");
        assert_eq!(pump.step(&mut buffer, None), Progress::Moved);
        process.write_all(b"last").expect("writes");
        drop(process);
        pump.hurry();
        assert_eq!(pump.step(&mut buffer, None), Progress::Moved);
        assert_eq!(pump.step(&mut buffer, None), Progress::Ended);
        assert!(!pump.flush_taps());
    }

    #[test]
    fn what_was_written_before_the_end_is_moved_though_the_end_was_told_first() {
        // A terminal does so for too short a moment to be met; a socket whose peer came late does so every time.
        let mut buffer = [0; 1024];
        let peer = UdpSocket::bind("127.0.0.1:0").expect("binds");
        let address = peer.local_addr().expect("has an address");
        drop(peer);
        let source = UdpSocket::bind("127.0.0.1:0").expect("binds");
        source.set_nonblocking(true).expect("flags");
        source.connect(address).expect("connects");
        source.send(b"anybody?").expect("sends");
        let peer = UdpSocket::bind(address).expect("binds again");
        peer.send_to(b"last", source.local_addr().expect("has an address")).expect("answers");
        let mut pump = Pump::new(source.into(), Sink::Discard(Stream::Stdout));
        let (mut reader, tap) = pipe();
        pump.tap(tap, None);
        assert_eq!(pump.step(&mut buffer, None), Progress::Moved);
        assert_eq!(heard(&mut reader), "last");
    }

    #[test]
    fn a_child_that_writes_on_after_the_end_is_held_back() {
        let mut buffer = vec![0; 64 << 10];
        let (mut pump, mut child) = source();
        let (_reader, tap) = pipe();
        pump.tap(tap, None);
        pump.hurry();
        let mut steps = 0..100;
        let held_back = steps.any(|_| {
            let _ = child.write(&buffer);
            pump.step(&mut buffer, None) == Progress::Full
        });
        assert!(held_back);
        assert!(steps.start > (1 << 20) / (64 << 10), "what a pipe may hold is taken");
    }
}
