//! What berthd asks of whoever serves the streams.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use ttrpc::{Call, Code, Status, decode_call, encode_reply};

use super::{Role, Settling, Streams};
use crate::backlog::Backlog;
use crate::log_writer::Stream;
use crate::proto::{berth, task};
use crate::pump::Pump;
use crate::reactor::Token;
use crate::sink::Sink;
use crate::stdio;

/// A shim that hangs costs the log this much, once.
const CLOSE_IO_TIMEOUT: Duration = Duration::from_secs(1);

impl Streams {
    pub(super) fn answer(&mut self, token: Token) {
        let Some(index) = self.connections.iter().position(|(own, _)| *own == token) else { return };
        let (frames, open) = self.connections[index].1.receive(&mut self.buffer);
        for frame in frames {
            let result = match decode_call(&frame) {
                Some(Ok(call)) if call.method == "Settle" => {
                    self.settle(token, frame.stream_id);
                    continue;
                }
                Some(Ok(call)) => self.call(&call),
                Some(Err(status)) => Err(status),
                None => continue,
            };
            self.reply(token, &encode_reply(frame.stream_id, result));
        }
        if !open {
            let (_, connection) = self.connections.swap_remove(index);
            self.reactor.remove(&connection.stream);
        }
    }

    fn call(&mut self, call: &Call) -> Result<Vec<u8>, Status> {
        match call.method.as_str() {
            "ReopenLog" => self.reopen_log()?,
            "Attach" => self.attach(&call.decode()?)?,
            "Finish" => self.finish(),
            _ => return Err(Status::unimplemented(&call.service, &call.method)),
        }
        Ok(Vec::new())
    }

    fn reopen_log(&mut self) -> Result<(), Status> {
        let missing = || Status::new(Code::FailedPrecondition, "the container has no log");
        let log = self.log.as_mut().ok_or_else(missing)?;
        log.reopen().map_err(|error| Status::new(Code::Internal, error.to_string()))
    }

    /// Nobody who listens in holds the container's last words back from the log.
    fn settle(&mut self, token: Token, stream_id: u32) {
        for moved in &mut self.pumps {
            moved.pump.hurry();
        }
        let quiet_since = Instant::now();
        let before = self.brought();
        let settling = self.settling.get_or_insert_with(|| Settling { callers: Vec::new(), quiet_since, before });
        settling.callers.push((token, stream_id));
    }

    /// All of the client's ends are opened before any of them is used, so that it joins whole or not at all.
    fn attach(&mut self, request: &berth::AttachRequest) -> Result<(), Status> {
        let stdin = if request.stdin.is_empty() {
            None
        } else {
            Some((stdio::attached_input(&request.stdin)?, self.container_stdin()?))
        };
        let output = |path: &str| if path.is_empty() { Ok(None) } else { stdio::attached_output(path).map(Some) };
        let (stdout, stderr) = (output(&request.stdout)?, output(&request.stderr)?);
        let failed = |error: io::Error| Status::new(Code::Internal, format!("attached input: {error}"));
        let pump = stdin.map(|(input, sink)| Pump::new(input.into(), sink));
        let input = pump.map(|pump| self.watch(pump, Role::Input)).transpose().map_err(failed)?;
        let ends_with = input.filter(|_| request.ends_with_input);
        for (stream, file) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
            if let Some(file) = file {
                self.listen_in(stream, file, ends_with);
            }
        }
        Ok(())
    }

    fn container_stdin(&self) -> Result<Sink, Status> {
        let failed = |error: io::Error| Status::new(Code::Internal, format!("the container's stdin: {error}"));
        match &self.stdin {
            Some(stdin) => Ok(Sink::Fifo(Backlog::new(stdin.try_clone().map_err(failed)?.into()))),
            // Whoever comes late still wants to hear the container.
            None if self.settings.has_stdin() => Ok(Sink::Discard(Stream::Stdout)),
            None => Err(Status::new(Code::FailedPrecondition, "the container has no stdin")),
        }
    }

    fn listen_in(&mut self, stream: Stream, client: File, ends_with: Option<Token>) {
        let is_it = |moved: &&mut super::Moved| moved.role == Role::Output && moved.pump.stream() == Some(stream);
        if let Some(moved) = self.pumps.iter_mut().find(is_it) {
            moved.pump.tap(client, ends_with);
        }
    }

    /// The container sees the end of its input, whoever else may still write to it. The shim holds the FIFO open, too.
    pub(super) fn close_stdin(&mut self) {
        for moved in self.pumps.iter().filter(|moved| moved.role == Role::Input) {
            self.reactor.remove(&moved.pump.source);
        }
        self.pumps.retain(|moved| moved.role != Role::Input);
        if self.stdin.take().is_none() {
            return;
        }
        let shim = &self.settings.shim;
        let request = task::CloseIoRequest { id: shim.id.clone(), exec_id: String::new(), stdin: true };
        // A shim that is gone has no container that reads.
        if let Ok(mut client) = ttrpc::Client::connect(Path::new(&shim.address)) {
            let _ = client.call::<_, ()>(&shim.service, "CloseIO", &request, Some(CLOSE_IO_TIMEOUT));
        }
    }
}
