//! Clients whose input has ended, and their attachment with it, while the container goes on.

use std::time::{Duration, Instant};

use crate::pump::Pump;
use crate::reactor::Token;

/// What a container does with its input nobody can see, so it gets so long for an answer; but not before it has read all of
/// the input, as long as it reads on.
const ANSWER_TIME: Duration = Duration::from_millis(250);

#[derive(Debug)]
struct Leaver {
    input: Token,
    pump: Pump,
    unread: u64,
    since: Instant,
}

/// Those who are still listened to an answer for.
#[derive(Debug, Default)]
pub struct Leaving(Vec<Leaver>);

impl Leaving {
    /// The client's input, which this pump moved under the token, has ended.
    pub fn add(&mut self, input: Token, pump: Pump) {
        let unread = pump.unread();
        self.0.push(Leaver { input, pump, unread, since: Instant::now() });
    }

    /// How long until somebody's time may be up.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.0.iter().map(|leaver| ANSWER_TIME.saturating_sub(leaver.since.elapsed())).min()
    }

    /// Those whose time is up, by their inputs. They are to get what is in the outputs now.
    pub fn take_due(&mut self) -> Vec<Token> {
        self.0.extract_if(.., |leaver| leaver.is_over()).map(|leaver| leaver.input).collect()
    }
}

impl Leaver {
    fn is_over(&mut self) -> bool {
        let unread = self.pump.unread();
        // Others may write there, too: only what was less than ever shows that this client's input is being read.
        if unread < self.unread {
            self.unread = unread;
            self.since = Instant::now();
        }
        self.since.elapsed() >= ANSWER_TIME
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::OwnedFd;

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;
    use crate::backlog::Backlog;
    use crate::pump::Progress;
    use crate::reactor::{Kind, Reactor};
    use crate::sink::Sink;

    /// A client that has typed `abc` and gone, where the container reads, and the client's token.
    fn leaver() -> (Leaving, File, Token) {
        let pipe = || -> (OwnedFd, File) {
            let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("pipes");
            (read, write.into())
        };
        let ((input, mut client), (container, stdin)) = (pipe(), pipe());
        let token = Reactor::new().and_then(|reactor| reactor.add(&input, Kind::Stream)).expect("watched");
        let mut pump = Pump::new(input, Sink::Fifo(Backlog::new(stdin)));
        client.write_all(b"abc").expect("writes");
        drop(client);
        let mut buffer = [0; 64];
        while pump.step(&mut buffer, None) != Progress::Ended {}
        let mut leaving = Leaving::default();
        leaving.add(token, pump);
        (leaving, container.into(), token)
    }

    /// As if so much time had gone by.
    fn pass(leaving: &mut Leaving, time: Duration) {
        for leaver in &mut leaving.0 {
            leaver.since = leaver.since.checked_sub(time).expect("the machine runs long enough");
        }
    }

    #[test]
    fn the_time_for_an_answer_begins_when_the_container_has_read() {
        let (mut leaving, mut container, token) = leaver();
        for _ in 0..3 {
            pass(&mut leaving, ANSWER_TIME);
            container.read_exact(&mut [0]).expect("reads");
            assert_eq!(leaving.take_due(), []);
        }
        pass(&mut leaving, ANSWER_TIME);
        assert_eq!(leaving.due(), Some(Duration::ZERO));
        assert_eq!(leaving.take_due(), [token]);
        assert_eq!(leaving.due(), None);
    }

    #[test]
    fn a_container_that_does_not_read_keeps_nobody() {
        let (mut leaving, _container, token) = leaver();
        pass(&mut leaving, ANSWER_TIME);
        assert_eq!(leaving.take_due(), [token]);
    }
}
