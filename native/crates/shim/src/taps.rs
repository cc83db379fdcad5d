//! Those who listen in on an output.

use std::fs::File;

use crate::backlog::Backlog;
use crate::reactor::Token;

/// All that a pipe may hold, and with it what a process that ended may have left. A child that outlives it and writes on is
/// held back by a slow client again.
const MAX_LEFT: usize = 1 << 20;

#[derive(Debug)]
struct Tap {
    backlog: Backlog,
    /// The input that the client's attachment ends with.
    ends_with: Option<Token>,
    /// So many bytes more, once that input has ended.
    remaining: Option<u64>,
}

/// Each gets what the output's sink gets, from when it came. One that left is forgotten.
#[derive(Debug, Default)]
pub struct Taps(Vec<Tap>);

impl Taps {
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Lets a client listen in, through a descriptor that never blocks.
    pub fn add(&mut self, file: File, ends_with: Option<Token>) {
        // A process that is silent would never find out who left.
        self.0.retain(|tap| tap.backlog.has_reader());
        self.0.push(Tap { backlog: Backlog::new(file), ends_with, remaining: None });
    }

    /// Gives them what they have not taken yet; true when nothing waits for them any more.
    pub fn flush(&mut self) -> bool {
        self.0.retain_mut(|tap| tap.backlog.try_flush().is_ok() && !tap.has_everything());
        self.0.iter().all(|tap| tap.backlog.is_empty())
    }

    /// Whether they can be left to take it later.
    #[must_use]
    pub fn have_room(&self) -> bool {
        self.0.iter().all(|tap| tap.backlog.len() < MAX_LEFT)
    }

    pub fn push(&mut self, bytes: &[u8]) {
        for tap in &mut self.0 {
            tap.push(bytes);
        }
        self.flush();
    }

    /// The attachment that ends with this input gets so many bytes more.
    pub fn end_after(&mut self, input: Token, bytes: u64) {
        for tap in self.0.iter_mut().filter(|tap| tap.ends_with == Some(input)) {
            tap.remaining = Some(bytes);
        }
        self.flush();
    }
}

impl Tap {
    fn push(&mut self, bytes: &[u8]) {
        let wanted =
            self.remaining.map_or(bytes.len(), |left| bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        self.backlog.push(&bytes[..wanted]);
        self.remaining = self.remaining.map(|left| left - wanted as u64);
    }

    fn has_everything(&self) -> bool {
        self.remaining == Some(0) && self.backlog.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    fn pipe() -> (File, File) {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("pipes");
        (read.into(), write.into())
    }

    #[test]
    fn one_who_left_in_silence_is_forgotten_when_the_next_comes() {
        let mut taps = Taps::new();
        let (reader, tap) = pipe();
        taps.add(tap, None);
        drop(reader);
        let (_second, tap) = pipe();
        taps.add(tap, None);
        assert_eq!(taps.0.len(), 1);
    }

    #[test]
    fn one_whose_input_has_ended_gets_what_was_there_and_the_end_and_the_others_everything() {
        let (mut taps, reactor) = (Taps::new(), crate::reactor::Reactor::new().expect("epoll"));
        let (input, _client) = pipe();
        let token = reactor.add(&input, crate::reactor::Kind::Stream).expect("watched");
        let ((mut leaver, tap_leaver), (mut other, tap_other)) = (pipe(), pipe());
        taps.add(tap_leaver, Some(token));
        taps.add(tap_other, None);
        taps.push(b"before ");
        taps.end_after(token, 3);
        taps.push(b"in");
        taps.push(b" or after");
        let (mut heard, mut all) = (String::new(), vec![0; 100]);
        leaver.read_to_string(&mut heard).expect("ends");
        let count = other.read(&mut all).expect("goes on");
        assert_eq!((heard.as_str(), &all[..count]), ("before in ", &b"before in or after"[..]));
    }

    #[test]
    fn one_who_is_slow_has_its_end_once_it_has_taken_all() {
        let (mut taps, reactor) = (Taps::new(), crate::reactor::Reactor::new().expect("epoll"));
        let (input, _client) = pipe();
        let token = reactor.add(&input, crate::reactor::Kind::Stream).expect("watched");
        let (mut reader, tap) = pipe();
        rustix::pipe::fcntl_setpipe_size(&tap, 4096).expect("resizes");
        taps.add(tap, Some(token));
        taps.push(&[b'x'; 6000]);
        taps.end_after(token, 0);
        let mut taken = Vec::new();
        assert!(reader.read_to_end(&mut taken).is_err(), "the end has not come");
        assert!(taps.flush());
        reader.read_to_end(&mut taken).expect("the end has come");
        assert_eq!(taken.len(), 6000);
    }
}
