//! What berthd asks of the process that serves the streams.

use std::io;
use std::path::Path;
use std::time::Duration;

use ttrpc::{Call, Code, Status};

use super::Streams;
use crate::attach;
use crate::clients::Reply;
use crate::outputs::{Outputs, Stdin};
use crate::proto::task;
use crate::streams::settings::Settings;

/// A shim that hangs costs the log this much, once.
const CLOSE_IO_TIMEOUT: Duration = Duration::from_secs(1);

impl Streams {
    pub(super) fn answer(&mut self, reply: Reply, call: Result<Call, Status>) {
        if call.as_ref().is_ok_and(|call| call.method == "Settle") {
            return self.settle(reply);
        }
        let answer = call.and_then(|call| self.call(&call));
        self.clients.reply(reply, answer.map(|()| Vec::new()));
    }

    fn call(&mut self, call: &Call) -> Result<(), Status> {
        match call.method.as_str() {
            "ReopenLog" => self.reopen_log(),
            "Attach" => attach::attach(&mut self.outputs, &call.decode()?, |outputs| stdin(&self.settings, outputs)),
            "Finish" => {
                self.finish();
                Ok(())
            }
            _ => Err(Status::unimplemented(&call.service, &call.method)),
        }
    }

    fn reopen_log(&mut self) -> Result<(), Status> {
        let missing = || Status::new(Code::FailedPrecondition, "the container has no log");
        let log = self.outputs.log().ok_or_else(missing)?;
        log.reopen().map_err(|error| Status::new(Code::Internal, error.to_string()))
    }

    /// The shim holds the FIFO of the stdin open, too, and is told when that has ended here.
    pub(super) fn pass_on_end_of_stdin(&mut self) {
        if !self.stdin_open || self.outputs.stdin("").is_some() {
            return;
        }
        self.stdin_open = false;
        let shim = &self.settings.shim;
        let request = task::CloseIoRequest { id: shim.id.clone(), exec_id: String::new(), stdin: true };
        // A shim that is gone has no container that reads.
        if let Ok(mut client) = ttrpc::Client::connect(Path::new(&shim.address)) {
            let _ = client.call::<_, ()>(&shim.service, "CloseIO", &request, Some(CLOSE_IO_TIMEOUT));
        }
    }
}

fn stdin(settings: &Settings, outputs: &Outputs) -> Result<Stdin, Status> {
    // A client that comes late still wants to hear the container.
    if !settings.has_stdin() {
        return Err(Status::new(Code::FailedPrecondition, "the container has no stdin"));
    }
    let failed = |error: io::Error| Status::new(Code::Internal, format!("the container's stdin: {error}"));
    let to = outputs.stdin("").map(|stdin| stdin.try_clone().map(Into::into)).transpose().map_err(failed)?;
    Ok(Stdin { to, once: settings.ends_with_client() })
}
