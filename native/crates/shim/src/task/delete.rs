//! Delete and Shutdown: the end of a process, of the container and of the shim.

use prost::Message;
use ttrpc::{Code, Status};

use crate::clients::{Outcome, Reply};
use crate::container::Container;
use crate::exit::Exit;
use crate::outputs::Outputs;
use crate::proto::{events, task};
use crate::runtime::{Inherited, Verb};
use crate::shim::Shim;

/// Answers Delete for an exec or for the container, whose process must be gone or never started.
///
/// # Errors
/// [`Code::NotFound`], [`Code::FailedPrecondition`] while it runs, and the runtime's.
pub fn delete(shim: &mut Shim, reply: Reply, request: &task::DeleteRequest) -> Result<Outcome, Status> {
    let container = shim.held.get()?;
    if !request.exec_id.is_empty() {
        return delete_exec(container, &mut shim.outputs, &request.exec_id);
    }
    if container.init.started_at.is_some() && !container.init.announced {
        return Err(Status::new(
            Code::FailedPrecondition,
            format!("container {} is running; kill it first", container.id),
        ));
    }
    if !container.at_runtime {
        return deleted(shim, Ok(())).map(Outcome::Now);
    }
    if let Some(cgroup) = &container.cgroup {
        cgroup.thaw();
    }
    // Forced only where a process waits for its start: with one that is gone, runc's force costs a tenth of a second.
    let verb = Verb::Delete { force: container.init.exit.is_none() };
    match shim.jobs.begin(container, reply, (verb, Inherited::default())) {
        Ok(()) => Ok(Outcome::Later),
        Err(status) => deleted(shim, Err(status)).map(Outcome::Now),
    }
}

/// Forgets an exec that does not run.
///
/// # Errors
/// [`Code::NotFound`], [`Code::FailedPrecondition`] while it runs.
pub fn delete_exec(container: &mut Container, outputs: &mut Outputs, exec_id: &str) -> Result<Outcome, Status> {
    let process = container.find(exec_id)?;
    if process.pid != 0 && !process.announced {
        return Err(Status::new(Code::FailedPrecondition, format!("exec {exec_id} is running; kill it first")));
    }
    let answer = response(process.pid, process.exit);
    let _ = std::fs::remove_file(&process.spec);
    outputs.close(exec_id);
    container.execs.remove(exec_id);
    Ok(Outcome::message(&answer))
}

/// The runtime's `delete` ended, or there was nothing at the runtime. What one that fails, hangs or is missing does not
/// remove is removed without it.
///
/// # Errors
/// [`Code::Internal`] when the root filesystem stays mounted.
pub fn deleted(shim: &mut Shim, result: Result<(), Status>) -> Result<Vec<u8>, Status> {
    let container = shim.held.get()?;
    container.at_runtime = false;
    container.remove_left_cgroup();
    if result.is_err() {
        container.runtime().forget(&container.id);
    }
    mount::detach(&container.rootfs())
        .map_err(|error| Status::new(Code::Internal, format!("unmount {}: {error}", container.rootfs().display())))?;
    let answer = response(container.init.pid, container.init.exit);
    let event = events::TaskDelete {
        container_id: container.id.clone(),
        pid: answer.pid,
        exit_status: answer.exit_status,
        exited_at: answer.exited_at,
        ..events::TaskDelete::default()
    };
    shim.outputs.close_all();
    shim.held.take();
    shim.publisher.publish("/tasks/delete", &event);
    Ok(answer.encode_to_vec())
}

fn response(pid: u32, exit: Option<Exit>) -> task::DeleteResponse {
    task::DeleteResponse { pid, exit_status: exit.map_or(0, |exit| exit.code), exited_at: exit.map(|exit| exit.at) }
}

/// Answers Shutdown: the shim ends, unless it still holds a container.
///
/// # Errors
/// None.
pub fn shutdown(shim: &mut Shim) -> Result<Outcome, Status> {
    if shim.held.peek().is_none() {
        shim.stop();
    }
    Ok(Outcome::empty())
}
