//! The ends of inputs and outputs.

use super::{Outputs, Role};
use crate::reactor::Token;

impl Outputs {
    /// A process sees the end of its input, whichever attached client may still write to it.
    pub fn close_stdin(&mut self, exec_id: &str) {
        self.stdins.remove(exec_id);
        for token in self.tokens(|open| open.exec_id == exec_id && matches!(open.role, Role::Attached { .. })) {
            self.close_pump(token);
        }
    }

    /// An input or output came to its end by itself.
    pub(super) fn end_pump(&mut self, token: Token) {
        match self.pumps.get(&token).map(|open| open.role) {
            Some(Role::Attached { ends_stdin: true }) => self.close_stdin(""),
            Some(Role::Attached { ends_stdin: false }) => {
                if let Some(open) = self.pumps.remove(&token) {
                    self.reactor.remove(&open.pump.source);
                    self.leaving.add(token, open.pump);
                }
            }
            _ => self.close_pump(token),
        }
    }

    pub(super) fn finish_rest(&mut self, token: Token) {
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
        let is_output = open.role == Role::Output;
        if is_output && !open.pump.head().is_empty() {
            self.heads.entry(open.exec_id.clone()).or_default().extend_from_slice(open.pump.head());
        }
        if is_output && !open.pump.flush_taps() {
            open.role = Role::Rest;
            self.full.push(token);
        } else {
            self.pumps.remove(&token);
        }
    }

    /// Closes the streams of a process that is deleted.
    pub fn close(&mut self, exec_id: &str) {
        for token in self.tokens(|open| open.exec_id == exec_id && open.role != Role::Rest) {
            if let Some(open) = self.pumps.get(&token) {
                open.pump.abandon(self.log.as_mut());
            }
            self.close_pump(token);
        }
        self.stdins.remove(exec_id);
        self.heads.remove(exec_id);
    }

    /// Closes the streams of all processes, and the log.
    pub fn close_all(&mut self) {
        let mut exec_ids: Vec<String> = self.pumps.values().map(|open| open.exec_id.clone()).collect();
        exec_ids.extend(self.stdins.keys().cloned());
        exec_ids.iter().for_each(|exec_id| self.close(exec_id));
        self.heads.clear();
        self.log = None;
    }
}
