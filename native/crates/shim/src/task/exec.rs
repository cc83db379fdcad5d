//! Exec and what belongs to its streams.

use std::os::unix::fs::OpenOptionsExt;

use rustix::termios::{Winsize, tcsetwinsize};
use ttrpc::{Code, Status};

use crate::clients::Outcome;
use crate::container::Container;
use crate::events::Publisher;
use crate::jobs::Jobs;
use crate::outputs::Outputs;
use crate::process::Process;
use crate::proto::{events, task};
use crate::stdio::StdioPaths;

/// Answers Exec: keeps the process description until Start.
///
/// # Errors
/// [`Code::AlreadyExists`], [`Code::InvalidArgument`] without a description, [`Code::FailedPrecondition`] when the
/// container does not run.
pub fn exec(
    container: &mut Container,
    jobs: &mut Jobs,
    publisher: &Publisher,
    request: task::ExecProcessRequest,
) -> Result<Outcome, Status> {
    let exec_id = request.exec_id;
    if container.init.exit.is_some() || container.init.pid == 0 {
        return Err(Status::new(Code::FailedPrecondition, format!("container {} is not running", container.id)));
    }
    if exec_id.is_empty() || container.execs.contains_key(&exec_id) {
        return Err(Status::new(Code::AlreadyExists, format!("exec id {exec_id:?} is taken")));
    }
    let spec =
        request.spec.ok_or_else(|| Status::new(Code::InvalidArgument, format!("exec {exec_id} has no process")))?;
    let path = container.bundle.join(format!("exec-{}.json", jobs.next_serial()));
    // The environment in it may hold secrets.
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, &spec.value))
        .map_err(|error| Status::new(Code::Internal, format!("{}: {error}", path.display())))?;
    let stdio =
        StdioPaths { terminal: request.terminal, stdin: request.stdin, stdout: request.stdout, stderr: request.stderr };
    let oom_score_adj = oom_score_adj(&spec.value);
    let process = Process { exec_id: exec_id.clone(), stdio, spec: path, oom_score_adj, ..Process::default() };
    container.execs.insert(exec_id.clone(), process);
    let event = events::TaskExecAdded { container_id: container.id.clone(), exec_id };
    publisher.publish("/tasks/exec-added", &event);
    Ok(Outcome::empty())
}

fn oom_score_adj(process: &[u8]) -> Option<i64> {
    let process: serde_json::Value = serde_json::from_slice(process).ok()?;
    process.get("oomScoreAdj")?.as_i64()
}

/// Answers ResizePty.
///
/// # Errors
/// [`Code::NotFound`], [`Code::FailedPrecondition`] without a terminal.
pub fn resize_pty(container: &mut Container, request: &task::ResizePtyRequest) -> Result<Outcome, Status> {
    let process = container.find(&request.exec_id)?;
    let Some(terminal) = &process.terminal else {
        return Err(Status::new(Code::FailedPrecondition, "the process has no terminal"));
    };
    let cells = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
    let size = Winsize { ws_row: cells(request.height), ws_col: cells(request.width), ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).map_err(|error| Status::new(Code::Internal, format!("resize: {error}")))?;
    Ok(Outcome::empty())
}

/// Answers CloseIO: the process sees the end of its input once the client has closed it too.
///
/// # Errors
/// [`Code::NotFound`].
pub fn close_io(
    container: &mut Container,
    outputs: &mut Outputs,
    request: &task::CloseIoRequest,
) -> Result<Outcome, Status> {
    container.find(&request.exec_id)?;
    if request.stdin {
        outputs.close_stdin(&request.exec_id);
    }
    Ok(Outcome::empty())
}
