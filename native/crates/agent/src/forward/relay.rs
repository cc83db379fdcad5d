use std::io::Result;
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::half::Half;

/// Carries bytes both ways between a client and a target until both directions are done.
#[derive(Debug)]
pub struct Relay {
    client: UnixStream,
    target: TcpStream,
    /// From the client to the target.
    out: Half,
    back: Half,
}

impl Relay {
    pub fn new(client: UnixStream, target: TcpStream) -> Result<Self> {
        client.set_nonblocking(true)?;
        target.set_nonblocking(true)?;
        // What a client types is not to wait for more.
        target.set_nodelay(true)?;
        Ok(Self { client, target, out: Half::new(), back: Half::new() })
    }

    pub fn run(mut self) {
        while !self.out.done || !self.back.done {
            let Ok((client, target)) = self.wait() else { return };
            // A client that hung up altogether takes nothing more, and a target neither; what they said still counts.
            self.back.done |= client.intersects(PollFlags::HUP | PollFlags::ERR);
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
        while let Err(errno) = poll(&mut fds, None) {
            if errno != Errno::INTR {
                return Err(errno);
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
