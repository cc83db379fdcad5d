//! The half of the event loop that moves what processes write, and what their clients type.

use std::fs::File;
use std::io;

use ttrpc::{Code, Status};

use super::{FULL_PAUSE, LONGEST_PAUSE, Shim};
use crate::backlog::Backlog;
use crate::container::Container;
use crate::log_writer::Stream;
use crate::pump::{LAST_STEPS, Progress, Pump};
use crate::reactor::{EventFlags, Token};
use crate::sink::Sink;
use crate::stdio;

/// An output or input and whose it is.
#[derive(Debug)]
pub(super) struct OpenPump {
    exec_id: String,
    pump: Pump,
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// An exit waits for its end.
    Output,
    /// An output that has ended, with something left for those who listen in.
    Rest,
    /// What a client types.
    Input,
    /// What an attached client sends, whose end may be the container's.
    Attached,
}

impl Shim {
    /// Watches the outputs of a process.
    ///
    /// # Errors
    /// [`Code::Internal`] with epoll's reason.
    pub fn watch(&mut self, exec_id: &str, pumps: Vec<Pump>) -> Result<(), Status> {
        for pump in pumps {
            let token = self
                .reactor
                .add(&pump.source, EventFlags::IN)
                .map_err(|error| Status::new(Code::Internal, format!("watch output: {error}")))?;
            self.pumps.insert(token, OpenPump { exec_id: exec_id.to_owned(), pump, role: Role::Output });
            if let Some(process) = self.container.as_mut().and_then(|c| c.process_mut(exec_id)) {
                process.open_pumps += 1;
            }
        }
        Ok(())
    }

    /// Moves a buffer full, after which the others and the calls get their turn: one of short lines takes a log milliseconds.
    /// True when there may be more.
    pub(super) fn move_output(&mut self, token: Token) -> bool {
        let Some(open) = self.pumps.get_mut(&token) else { return false };
        if open.role == Role::Rest {
            self.finish_rest(token);
            return false;
        }
        let log = self.container.as_mut().and_then(|container| container.log.as_mut());
        let progress = open.pump.step(&mut self.buffer, log);
        if progress == Progress::Full {
            // Not only of no interest: epoll would tell for ever that the other side has hung up.
            self.reactor.remove(&open.pump.source);
            if !self.full.contains(&token) {
                self.full.push(token);
            }
        } else if progress == Progress::Ended {
            self.end_pump(token);
        }
        progress == Progress::Moved
    }

    /// An input or output came to its end by itself.
    fn end_pump(&mut self, token: Token) {
        if self.pumps.get(&token).is_none_or(|open| open.role != Role::Attached) {
            return self.close_pump(token);
        }
        // A terminal has no end of input that could be passed on.
        let once = |container: &Container| container.options.stdin_once && container.init.terminal.is_none();
        if self.container.as_ref().is_some_and(once) {
            self.close_container_stdin();
        } else if let Some(open) = self.pumps.remove(&token) {
            self.reactor.remove(&open.pump.source);
            self.leaving.add(token, open.pump);
        }
    }

    /// The container sees the end of its input, whoever else may still write to it.
    pub fn close_container_stdin(&mut self) {
        if let Some(container) = &mut self.container {
            container.init.stdin_keep = None;
        }
        let attached = |(token, open): (&Token, &OpenPump)| (open.role == Role::Attached).then_some(*token);
        let tokens: Vec<Token> = self.pumps.iter().filter_map(attached).collect();
        for token in tokens {
            self.close_pump(token);
        }
    }

    fn finish_rest(&mut self, token: Token) {
        if self.pumps.get_mut(&token).is_some_and(|open| !open.pump.flush_taps()) {
            self.full.push(token);
        } else {
            self.pumps.remove(&token);
        }
    }

    /// Closes an input or output. What those who listen in have not taken yet still waits for them.
    fn close_pump(&mut self, token: Token) {
        let Some(open) = self.pumps.get_mut(&token).filter(|open| open.role != Role::Rest) else { return };
        self.reactor.remove(&open.pump.source);
        let output = (open.role == Role::Output).then(|| open.exec_id.clone());
        let head = open.pump.head().to_vec();
        if output.is_some() && !open.pump.flush_taps() {
            open.role = Role::Rest;
            self.full.push(token);
        } else {
            self.pumps.remove(&token);
        }
        if let Some(exec_id) = output {
            self.uncount(&exec_id, &head);
        }
    }

    /// Whether somebody has not taken yet what the container wrote before its end.
    pub(super) fn has_rest(&self) -> bool {
        self.pumps.values().any(|open| open.role == Role::Rest)
    }

    /// Ends the attachments of those whose input has ended, and who have waited long enough for an answer.
    pub(super) fn let_leave(&mut self) {
        for input in self.leaving.take_due() {
            self.pumps.values_mut().for_each(|open| open.pump.let_go(input));
        }
    }

    fn uncount(&mut self, exec_id: &str, head: &[u8]) {
        if let Some(process) = self.container.as_mut().and_then(|container| container.process_mut(exec_id)) {
            process.open_pumps = process.open_pumps.saturating_sub(1);
            process.heard.extend_from_slice(head);
        }
    }

    pub(super) fn resume_full(&mut self) {
        let tokens = std::mem::take(&mut self.full);
        for token in tokens.iter().copied() {
            if let Some(open) = self.pumps.get(&token).filter(|open| open.role != Role::Rest) {
                // Fails where it is being watched already.
                let _ = self.reactor.resume(&open.pump.source, token, EventFlags::IN);
            }
            self.move_output(token);
        }
        let all_stuck = !tokens.is_empty() && self.full.starts_with(&tokens);
        self.full_pause = if all_stuck { LONGEST_PAUSE.min(self.full_pause * 2) } else { FULL_PAUSE };
    }

    /// Lets a client listen in on an output of the container, through a descriptor that never blocks, at most until an input of
    /// its ends. Without such an output there is nothing to hear, and the client's end closes.
    pub fn listen_in(&mut self, stream: Stream, file: File, ends_with: Option<Token>) {
        let is_it = |open: &&mut OpenPump| {
            open.exec_id.is_empty() && open.role == Role::Output && open.pump.stream() == Some(stream)
        };
        if let Some(open) = self.pumps.values_mut().find(is_it) {
            open.pump.tap(file, ends_with);
        }
    }

    /// Passes on what an attached client sends to where the container reads, or nowhere.
    ///
    /// # Errors
    /// [`Code::Internal`] with epoll's reason.
    pub fn pass_on(&mut self, input: File, to: Option<File>) -> Result<Token, Status> {
        let sink = to.map_or(Sink::Discard(Stream::Stdout), |to| Sink::Fifo(Backlog::new(to)));
        let pump = Pump::new(input.into(), sink);
        let failed = |error: io::Error| Status::new(Code::Internal, format!("attached input: {error}"));
        let token = self.reactor.add(&pump.source, EventFlags::IN).map_err(failed)?;
        self.pumps.insert(token, OpenPump { exec_id: String::new(), pump, role: Role::Attached });
        Ok(token)
    }

    /// Moves what the process, which has ended, has written so far.
    pub fn drain(&mut self, exec_id: &str) {
        let of_process = |(token, open): (&Token, &OpenPump)| (open.exec_id == exec_id).then_some(*token);
        let tokens: Vec<Token> = self.pumps.iter().filter_map(of_process).collect();
        for token in tokens {
            if let Some(open) = self.pumps.get_mut(&token) {
                open.pump.hurry();
            }
            let _ = (0..LAST_STEPS).take_while(|_| self.move_output(token)).count();
        }
    }

    /// What came through the outputs that a process, which was not made, would have had: the runtime's words.
    pub fn heard(&mut self, exec_id: &str) -> Vec<u8> {
        self.drain(exec_id);
        let process = self.container.as_ref().and_then(|container| container.process(exec_id));
        let mut heard = process.map(|process| process.heard.clone()).unwrap_or_default();
        for open in self.pumps.values().filter(|open| open.exec_id == exec_id && open.role == Role::Output) {
            heard.extend_from_slice(open.pump.head());
        }
        heard
    }

    /// The outputs of a process are its own from now on.
    pub fn forget_heard(&mut self, exec_id: &str) {
        for open in self.pumps.values_mut().filter(|open| open.exec_id == exec_id) {
            open.pump.forget_head();
        }
        if let Some(process) = self.container.as_mut().and_then(|container| container.process_mut(exec_id)) {
            process.heard = Vec::new();
        }
    }

    /// Closes the outputs of a process that is deleted.
    pub fn close_outputs(&mut self, exec_id: &str) {
        let of_process =
            |(token, open): (&Token, &OpenPump)| (open.exec_id == exec_id && open.role != Role::Rest).then_some(*token);
        let tokens: Vec<Token> = self.pumps.iter().filter_map(of_process).collect();
        for token in tokens {
            if let Some(open) = self.pumps.get(&token) {
                open.pump.abandon(self.container.as_mut().and_then(|container| container.log.as_mut()));
            }
            self.close_pump(token);
        }
    }

    /// Watches the client's keystrokes for a process that has a terminal.
    ///
    /// # Errors
    /// Those of opening and watching the FIFO.
    pub fn watch_terminal_input(&mut self, exec_id: &str) -> Result<(), Status> {
        let Some(process) = self.container.as_ref().and_then(|container| container.process(exec_id)) else {
            return Ok(());
        };
        let (Some(input), Some(terminal)) = (stdio::terminal_input(&process.stdio)?, &process.terminal) else {
            return Ok(());
        };
        let failed = |error: io::Error| Status::new(Code::Internal, format!("terminal input: {error}"));
        let terminal = terminal.try_clone().map_err(failed)?;
        let pump = Pump::new(input.into(), Sink::Fifo(Backlog::new(terminal.into())));
        let token = self.reactor.add(&pump.source, EventFlags::IN).map_err(failed)?;
        // Not counted as an output: an exit does not wait for keystrokes.
        self.pumps.insert(token, OpenPump { exec_id: exec_id.to_owned(), pump, role: Role::Input });
        Ok(())
    }
}
