//! Calls and the verbs that they are for.

use rustix::process::Signal;
use ttrpc::{Call, Status};

use crate::clients::{Outcome, Reply};
use crate::proto::task;
use crate::shim::Shim;
use crate::task::{
    attach, checkpoint, create, delete, describe, end_execs, exec, exit, kill, reopen_log, start, state, update,
};

const TASK_V2: &str = "containerd.task.v2.Task";
const TASK_V3: &str = "containerd.task.v3.Task";
const CONTAINER: &str = "berth.shim.v1.Container";

/// Answers a call, or leaves that to a later event.
pub fn answer(shim: &mut Shim, reply: Reply, call: Result<Call, Status>) {
    match call.and_then(|call| dispatch(shim, reply, &call)) {
        Ok(Outcome::Now(bytes)) => shim.clients.reply(reply, Ok(bytes)),
        Ok(Outcome::Later) => {}
        Err(status) => shim.clients.reply(reply, Err(status)),
    }
}

fn dispatch(shim: &mut Shim, reply: Reply, call: &Call) -> Result<Outcome, Status> {
    match (call.service.as_str(), call.method.as_str()) {
        (TASK_V2 | TASK_V3, "Start" | "Delete" | "Kill" | "State") if deferred(shim, reply, call)? => {
            Ok(Outcome::Later)
        }
        (TASK_V2 | TASK_V3, _) => task(shim, reply, call),
        (CONTAINER, "ReopenLog") => reopen_log::reopen_log(shim.held.get()?, &mut shim.outputs),
        (CONTAINER, "Attach") => attach::attach(shim.held.get()?, &mut shim.outputs, &call.decode()?),
        (CONTAINER, "EndExecs") => end_execs::end_execs(shim.held.get()?, &shim.jobs, &mut shim.outputs),
        (CONTAINER, "Describe") => describe::describe(shim.held.get()?),
        (service, method) => Err(Status::unimplemented(service, method)),
    }
}

/// Keeps a call for a process that is being made: whether there is one is open, and a daemon that comes back in this moment
/// must not be told either.
fn deferred(shim: &mut Shim, reply: Reply, call: &Call) -> Result<bool, Status> {
    // The four requests begin alike, with the ids.
    let exec_id = call.decode::<task::StartRequest>()?.exec_id;
    if !shim.jobs.make(&exec_id) {
        return Ok(false);
    }
    if call.method == "Kill" && call.decode::<task::KillRequest>()?.signal == Signal::KILL.as_raw().cast_unsigned() {
        shim.jobs.hurry(&exec_id);
    }
    shim.clients.defer(reply, call);
    Ok(true)
}

fn task(shim: &mut Shim, reply: Reply, call: &Call) -> Result<Outcome, Status> {
    let Shim { held, jobs, outputs, clients, publisher, .. } = &mut *shim;
    match call.method.as_str() {
        "Create" => create::create(shim, reply, call.decode()?),
        "Start" => start::start(shim, reply, &call.decode()?),
        "Exec" => exec::exec(held.get()?, jobs, publisher, call.decode()?),
        "Delete" => delete::delete(shim, reply, &call.decode()?),
        "Kill" => kill::kill(held.get()?, &call.decode()?),
        "State" => state::state(held.get()?, &call.decode()?),
        "Pids" => state::pids(held.get()?),
        "Connect" => state::connect(held.peek()),
        "Stats" => state::stats(held.get()?),
        "Wait" => exit::wait(held.get()?, clients, reply, &call.decode()?),
        "Pause" => update::pause(held.get()?, jobs, reply),
        "Resume" => update::resume(held.get()?, jobs, reply),
        "Update" => update::update(held.get()?, jobs, reply, call.decode()?),
        "Checkpoint" => checkpoint::checkpoint(held.get()?, jobs, reply, call.decode()?),
        "ResizePty" => exec::resize_pty(held.get()?, &call.decode()?),
        "CloseIO" => exec::close_io(held.get()?, outputs, &call.decode()?),
        "Shutdown" => delete::shutdown(shim),
        _ => Err(Status::unimplemented(&call.service, &call.method)),
    }
}
