//! The end of a process: reaping, waiting for its output, telling.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use prost::Message;
use ttrpc::Status;

use crate::clients::{Clients, Outcome, Reply};
use crate::clock;
use crate::container::Container;
use crate::events::Publisher;
use crate::exit::{Exit, write_record};
use crate::held::Held;
use crate::outputs::Outputs;
use crate::process::Process;
use crate::proto::{events, task};
use crate::shim::Shim;
use crate::task::end_execs;

/// How long a child that outlives its parent may keep the parent's exit back by holding its output open.
const DRAIN: Duration = Duration::from_millis(100);

/// The code of a wait status: 128 + signal when a signal ended the process.
#[must_use]
pub fn code(status: ExitStatus) -> u32 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u32::try_from(code).unwrap_or(255)
}

/// Answers Wait: at once when the process is gone, else when it is.
///
/// # Errors
/// [`ttrpc::Code::NotFound`].
pub fn wait(
    container: &mut Container,
    clients: &mut Clients,
    reply: Reply,
    request: &task::WaitRequest,
) -> Result<Outcome, Status> {
    let process = container.find(&request.exec_id)?;
    if let Some(exit) = process.exit.filter(|_| process.announced) {
        return Ok(Outcome::message(&response(exit)));
    }
    clients.wait_for(&request.exec_id, reply);
    Ok(Outcome::Later)
}

/// Notes the end of one of the container's processes. False when the pid is none of them.
pub fn reaped(held: &mut Held, outputs: &mut Outputs, pid: u32, status: ExitStatus) -> bool {
    let Some(container) = held.peek_mut() else { return false };
    let is_init = container.init.pid == pid;
    // A survivor's exit code is not that of the kill, and who was killed at a
    // client's wish may have survived a child that was killed for memory.
    let killed = code(status) == 137;
    let oom_killed = is_init && killed && container.oom.kills() > container.oom_kills_before_kill;
    let Some(process) = container.process_of_pid(pid) else { return false };
    process.exit = Some(Exit { code: code(status), at: clock::now(), oom_killed });
    process.drain_until = Some(Instant::now() + DRAIN);
    outputs.drain(&process.exec_id);
    true
}

/// Tells the exits whose output has ended or was waited for long enough.
pub fn announce_due(shim: &mut Shim) {
    let (now, outputs) = (Instant::now(), &shim.outputs);
    let Some(container) = shim.held.peek_mut() else { return };
    let due: Vec<String> = container
        .processes_mut()
        .filter(|p| p.exit.is_some() && !p.announced)
        .filter(|p| !outputs.are_open(&p.exec_id) || p.drain_until.is_none_or(|until| until <= now))
        .map(|p| p.exec_id.clone())
        .collect();
    for exec_id in due {
        announce(shim, &exec_id);
    }
}

fn announce(shim: &mut Shim, exec_id: &str) {
    let Some(container) = shim.held.peek_mut() else { return };
    let id = container.id.clone();
    let Ok(process) = container.find(exec_id) else { return };
    let Some(exit) = process.exit else { return };
    process.announced = true;
    let pid = process.pid;
    if exec_id.is_empty() {
        // Without a disk to write it to, the answer to Wait is still the truth.
        record(container);
    }
    publish(&shim.publisher, &id, exec_id, pid, exit);
    shim.clients.tell_end(exec_id, &response(exit).encode_to_vec());
    end_execs::go_on(container, &shim.jobs, &mut shim.outputs, exec_id);
}

/// Writes down how the container ended, once; whether that is done.
fn record(container: &mut Container) -> bool {
    let path = container.exit_file();
    let Process { pid, exit, started_at, .. } = container.init;
    if let Some(exit) = exit.filter(|_| !container.recorded) {
        container.recorded = write_record(&path, &container.id, pid, exit, started_at).is_ok();
    }
    container.recorded
}

/// Whether nobody misses the shim when it ends now: there is no container, or one that never ran, or one whose end is recorded
/// for whoever comes. An exec that outlived it is not kept: whoever deletes the container ends it.
pub fn may_end(shim: &mut Shim) -> bool {
    if !shim.jobs.is_empty() {
        return false;
    }
    let Some(container) = shim.held.peek_mut() else { return true };
    container.init.pid == 0 || (container.init.announced && record(container))
}

fn publish(publisher: &Publisher, id: &str, exec_id: &str, pid: u32, exit: Exit) {
    if exit.oom_killed {
        publisher.publish("/tasks/oom", &events::TaskOom { container_id: id.to_owned() });
    }
    let event = events::TaskExit {
        container_id: id.to_owned(),
        id: if exec_id.is_empty() { id.to_owned() } else { exec_id.to_owned() },
        pid,
        exit_status: exit.code,
        exited_at: Some(exit.at),
    };
    publisher.publish("/tasks/exit", &event);
}

fn response(exit: Exit) -> task::WaitResponse {
    task::WaitResponse { exit_status: exit.code, exited_at: Some(exit.at) }
}
