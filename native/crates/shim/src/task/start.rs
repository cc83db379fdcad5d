//! Start: runs the main process or an exec.

use std::time::Instant;

use prost::Message;
use ttrpc::{Code, Status};

use crate::clients::{Outcome, Reply};
use crate::clock;
use crate::proto::{events, task};
use crate::runtime::{Inherited, Making, Verb};
use crate::shim::Shim;
use crate::task::adopt::{Made, adopt_exec, adopt_init, settle};
use crate::task::checkpoint::restore;
use crate::task::launch::{launch, launch_exec};

/// Answers Start, for the main process or, with an exec id, for that.
///
/// # Errors
/// [`Code::NotFound`] and [`Code::FailedPrecondition`], and those of starting the runtime.
pub fn start(shim: &mut Shim, reply: Reply, request: &task::StartRequest) -> Result<Outcome, Status> {
    let (container, exec_id) = (shim.held.get()?, request.exec_id.as_str());
    let process = container.find(exec_id)?;
    if process.started_at.is_some() || process.exit.is_some() {
        let what = if exec_id.is_empty() { format!("container {}", container.id) } else { format!("exec {exec_id}") };
        return Err(Status::new(Code::FailedPrecondition, format!("{what} was started already")));
    }
    if !exec_id.is_empty() {
        launch_exec(shim, reply, exec_id)?;
    } else if container.runs_on_start() {
        let (bundle, restore) = (container.bundle.clone(), restore(container)?);
        launch(shim, reply, |making| Verb::Run { bundle, restore, making })?;
    } else {
        shim.jobs.begin(container, reply, (Verb::Start, Inherited::default()))?;
    }
    Ok(Outcome::Later)
}

/// The runtime's `start` ended.
///
/// # Errors
/// The runtime's. The container stays as created; Delete removes it.
pub fn started(shim: &mut Shim, began: Instant, result: Result<(), Status>) -> Result<Vec<u8>, Status> {
    result?;
    shim.held.get()?.measured("oci-start", began.elapsed());
    announce_start(shim)
}

/// The runtime's `run` ended.
///
/// # Errors
/// The runtime's. One that failed by itself has removed the container; Delete removes the rest.
pub fn ran(shim: &mut Shim, made: &Made<'_>, result: Result<(), Status>) -> Result<Vec<u8>, Status> {
    if let Err(status) = result.and_then(|()| adopt_init(shim, made.making)) {
        shim.outputs.close("");
        if let Some(container) = shim.held.peek_mut() {
            container.at_runtime = !made.undone;
            if made.undone {
                container.remove_left_cgroup();
            } else if container.init.pid == 0 {
                container.kill_unknown();
            }
        }
        return Err(status);
    }
    shim.held.get()?.measured("oci-run", made.began.elapsed());
    announce_start(shim)
}

fn announce_start(shim: &mut Shim) -> Result<Vec<u8>, Status> {
    let container = shim.held.get()?;
    container.init.started_at = Some(clock::now());
    let pid = container.init.pid;
    let event = events::TaskStart { container_id: container.id.clone(), pid };
    shim.publisher.publish("/tasks/start", &event);
    settle(shim, pid);
    Ok(task::StartResponse { pid }.encode_to_vec())
}

/// The runtime's `exec` ended.
///
/// # Errors
/// The runtime's, such as a program that is not in the container.
pub fn exec_started(
    shim: &mut Shim,
    exec_id: &str,
    making: &Making,
    result: Result<(), Status>,
) -> Result<Vec<u8>, Status> {
    if let Err(status) = result {
        shim.outputs.close(exec_id);
        return Err(status);
    }
    let pid = adopt_exec(shim, exec_id, making)?;
    let event = events::TaskExecStarted { container_id: shim.held.get()?.id.clone(), exec_id: exec_id.to_owned(), pid };
    shim.publisher.publish("/tasks/exec-started", &event);
    settle(shim, pid);
    Ok(task::StartResponse { pid }.encode_to_vec())
}
