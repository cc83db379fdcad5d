//! The half of the event loop that moves what processes write, and what their clients type.

use std::io;

use ttrpc::{Code, Status};

use super::Shim;
use crate::pump::{Progress, Pump, Sink};
use crate::reactor::{EventFlags, Token};
use crate::stdio;

/// An output and whose it is.
#[derive(Debug)]
pub(super) struct OpenPump {
    exec_id: String,
    pump: Pump,
    /// An exit waits for its end.
    counted: bool,
}

/// Reads of one output before the others get their turn.
const STEPS_AT_ONCE: usize = 16;

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
            self.pumps.insert(token, OpenPump { exec_id: exec_id.to_owned(), pump, counted: true });
            if let Some(process) = self.container.as_mut().and_then(|c| c.process_mut(exec_id)) {
                process.open_pumps += 1;
            }
        }
        Ok(())
    }

    pub(super) fn move_output(&mut self, token: Token) {
        for _ in 0..STEPS_AT_ONCE {
            let Some(open) = self.pumps.get_mut(&token) else { return };
            let log = self.container.as_mut().and_then(|container| container.log.as_mut());
            match open.pump.step(&mut self.buffer, log) {
                Progress::Moved => {}
                Progress::Idle => return,
                Progress::Full => {
                    let _ = self.reactor.modify(&open.pump.source, token, EventFlags::empty());
                    self.full.push(token);
                    return;
                }
                Progress::Ended => return self.close_pump(token),
            }
        }
    }

    fn close_pump(&mut self, token: Token) {
        let Some(open) = self.pumps.remove(&token) else { return };
        self.reactor.remove(&open.pump.source);
        if let Some(process) =
            self.container.as_mut().and_then(|c| c.process_mut(&open.exec_id)).filter(|_| open.counted)
        {
            process.open_pumps = process.open_pumps.saturating_sub(1);
        }
    }

    pub(super) fn resume_full(&mut self) {
        for token in std::mem::take(&mut self.full) {
            if let Some(open) = self.pumps.get(&token) {
                let _ = self.reactor.modify(&open.pump.source, token, EventFlags::IN);
            }
            self.move_output(token);
        }
    }

    /// Moves what the process has written so far.
    pub fn drain(&mut self, exec_id: &str) {
        let of_process = |(token, open): (&Token, &OpenPump)| (open.exec_id == exec_id).then_some(*token);
        let tokens: Vec<Token> = self.pumps.iter().filter_map(of_process).collect();
        for token in tokens {
            self.move_output(token);
        }
    }

    /// Closes the outputs of a process that is deleted.
    pub fn close_outputs(&mut self, exec_id: &str) {
        let of_process = |(token, open): (&Token, &OpenPump)| (open.exec_id == exec_id).then_some(*token);
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
        let pump = Pump::new(input.into(), Sink::Fifo { file: terminal.into(), pending: Vec::new() });
        let token = self.reactor.add(&pump.source, EventFlags::IN).map_err(failed)?;
        // Not counted as an output: an exit does not wait for keystrokes.
        self.pumps.insert(token, OpenPump { exec_id: exec_id.to_owned(), pump, counted: false });
        Ok(())
    }
}
