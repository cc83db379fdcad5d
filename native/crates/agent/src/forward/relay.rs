use std::io::Result;
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::half::Half;

/// How long a target may take nothing of what a client left behind: one that never reads would keep a thread for ever.
const LINGER: Duration = Duration::from_secs(30);

/// Carries bytes both ways between a client and a target until both directions are done.
#[derive(Debug)]
pub struct Relay {
    client: UnixStream,
    target: TcpStream,
    /// From the client to the target.
    out: Half,
    back: Half,
    client_left: bool,
    linger: Duration,
}

impl Relay {
    pub fn new(client: UnixStream, target: TcpStream) -> Result<Self> {
        client.set_nonblocking(true)?;
        target.set_nonblocking(true)?;
        // What a client types is not to wait for more.
        target.set_nodelay(true)?;
        Ok(Self { client, target, out: Half::new(), back: Half::new(), client_left: false, linger: LINGER })
    }

    pub fn run(mut self) {
        while !self.out.done || !self.back.done {
            let Ok((client, target)) = self.wait() else { return };
            // A client that hung up altogether takes nothing more, and a target neither; what they said still counts.
            self.client_left |= client.intersects(PollFlags::HUP | PollFlags::ERR);
            self.back.done |= self.client_left;
            self.out.done |= target.intersects(PollFlags::HUP | PollFlags::ERR);
            if self.out.step(&mut &self.client, &mut &self.target) {
                let _ = self.target.shutdown(Shutdown::Write);
            }
            if self.back.step(&mut &self.target, &mut &self.client) {
                let _ = self.client.shutdown(Shutdown::Write);
            }
        }
    }

    /// What has happened to both sides. One that is of no interest any more is left out, or its end would be told for ever.
    /// Fails when nothing happens for too long after the client has left.
    fn wait(&self) -> rustix::io::Result<(PollFlags, PollFlags)> {
        let client = interest(self.out.wants_input(), self.back.wants_output());
        let target = interest(self.back.wants_input(), self.out.wants_output());
        let mut fds = Vec::with_capacity(2);
        let client_at = (!client.is_empty() || !self.back.done).then_some(fds.len());
        if client_at.is_some() {
            fds.push(PollFd::new(&self.client, client));
        }
        let target_at = (!target.is_empty() || !self.out.done).then_some(fds.len());
        if target_at.is_some() {
            fds.push(PollFd::new(&self.target, target));
        }
        let patience = self.client_left.then(|| Timespec::try_from(self.linger).ok()).flatten();
        loop {
            match poll(&mut fds, patience.as_ref()) {
                Ok(0) => return Err(Errno::TIMEDOUT),
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        let happened = |at: Option<usize>| at.map_or(PollFlags::empty(), |at| fds[at].revents());
        Ok((happened(client_at), happened(target_at)))
    }
}

fn interest(input: bool, output: bool) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, input);
    flags.set(PollFlags::OUT, output);
    flags
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn what_a_client_left_to_a_target_that_never_reads_is_given_up() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let target = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _never_read = listener.accept().unwrap();
        let (mut client, ours) = UnixStream::pair().unwrap();
        let mut relay = Relay::new(ours, target).unwrap();
        relay.linger = Duration::from_millis(200);
        let relay = std::thread::spawn(move || relay.run());
        client.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        while client.write(&[0; 64 << 10]).is_ok() {}
        assert!(!relay.is_finished(), "the client is there");
        drop(client);
        let ended = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            relay.is_finished()
        });
        assert!(ended);
    }
}
