//! The Task service and berth's own Container service, one verb a file.

mod attach;
mod checkpoint;
mod create;
pub mod cut;
mod delete;
mod describe;
mod end_execs;
mod exec;
pub mod exit;
mod kill;
mod start;
mod state;
mod update;

use std::process::ExitStatus;

use ttrpc::{Call, Code, Status};

use crate::job::{Job, Verb};
use crate::proto::task;
use crate::runtime;
use crate::shim::{Outcome, Reply, Shim};

const TASK_V2: &str = "containerd.task.v2.Task";
const TASK_V3: &str = "containerd.task.v3.Task";
const SIGKILL: u32 = 9;
const CONTAINER: &str = "berth.shim.v1.Container";

/// Runs the verb of a call.
///
/// # Errors
/// The verb's; [`Code::Unimplemented`] for one that is not served.
pub fn dispatch(shim: &mut Shim, reply: Reply, call: &Call) -> Result<Outcome, Status> {
    match (call.service.as_str(), call.method.as_str()) {
        (TASK_V2 | TASK_V3, method) => task(shim, reply, call, method),
        (CONTAINER, "ReopenLog") => describe::reopen_log(shim),
        (CONTAINER, "Attach") => attach::attach(shim, &call.decode()?),
        (CONTAINER, "EndExecs") => end_execs::end_execs(shim),
        (CONTAINER, "Describe") => describe::describe(shim),
        (service, method) => Err(Status::unimplemented(service, method)),
    }
}

fn task(shim: &mut Shim, reply: Reply, call: &Call, method: &str) -> Result<Outcome, Status> {
    // The four requests begin alike, with the ids.
    if matches!(method, "Start" | "Delete" | "Kill" | "State")
        && is_being_made(shim, &call.decode::<task::StartRequest>()?.exec_id)
    {
        if method == "Kill" && call.decode::<task::KillRequest>()?.signal == SIGKILL {
            cut::hurry(shim, &call.decode::<task::StartRequest>()?.exec_id);
        }
        // Whether there is a process is open: a daemon that comes back in this moment must not be told either.
        shim.deferred.push((reply, call.clone()));
        return Ok(Outcome::Later);
    }
    match method {
        "Create" => create::create(shim, reply, call.decode()?),
        "Start" => start::start(shim, reply, &call.decode()?),
        "Exec" => exec::exec(shim, call.decode()?),
        "Delete" => delete::delete(shim, reply, &call.decode()?),
        "Kill" => kill::kill(shim, &call.decode()?),
        "State" => state::state(shim, &call.decode()?),
        "Pids" => state::pids(shim),
        "Connect" => state::connect(shim),
        "Stats" => state::stats(shim),
        "Wait" => exit::wait(shim, reply, &call.decode()?),
        "Pause" => update::pause(shim, reply),
        "Resume" => update::resume(shim, reply),
        "Update" => update::update(shim, reply, &call.decode()?),
        "Checkpoint" => checkpoint::checkpoint(shim, reply, call.decode()?),
        "ResizePty" => exec::resize_pty(shim, &call.decode()?),
        "CloseIO" => exec::close_io(shim, &call.decode()?),
        "Shutdown" => delete::shutdown(shim),
        _ => Err(Status::unimplemented(&call.service, method)),
    }
}

/// Whether the runtime is at work on this process, the main one for an empty id.
fn is_being_made(shim: &Shim, exec_id: &str) -> bool {
    shim.jobs.values().any(|job| cut::makes(&job.verb, exec_id))
}

/// A runtime process ended: goes on with what it was for and answers the call.
pub fn finish_job(shim: &mut Shim, mut job: Job, status: ExitStatus) {
    let result = if status.success() { Ok(()) } else { Err(failure(shim, &job, status)) };
    job.undone = !job.cut && status.code().is_some_and(|code| code != 0);
    job.invocation.clean();
    let process = process_of(&job.verb);
    if let Some(exec_id) = process.filter(|_| result.is_ok()) {
        shim.forget_heard(exec_id);
    }
    let reply = job.reply;
    let answer = match job.verb.clone() {
        Verb::Create => create::created(shim, job, result),
        Verb::Start => start::started(shim, &job, result),
        Verb::Run => start::ran(shim, job, result),
        Verb::Exec(id) => {
            let answer = start::exec_started(shim, job, &id, result);
            end_execs::go_on(shim, &id);
            answer
        }
        Verb::Pause => update::paused(shim, result, true),
        Verb::Resume => update::paused(shim, result, false),
        Verb::Update => result.map(|()| Vec::new()),
        Verb::Checkpoint { image, .. } => checkpoint::checkpointed(shim, &image, result),
        Verb::Delete => delete::deleted(shim, result),
    };
    shim.reply(reply, answer);
}

fn failure(shim: &mut Shim, job: &Job, status: ExitStatus) -> Status {
    let heard = process_of(&job.verb).map(|exec_id| shim.heard(exec_id)).unwrap_or_default();
    let mut said = job.invocation.failure(&runtime::ended(status), &heard);
    if let Some(container) = &shim.container {
        said += &checkpoint::criu_errors(container, &job.verb);
    }
    if job.cut { cut::failure(job, &said) } else { Status::new(Code::Unknown, said) }
}

/// The process that has the runtime's streams, if one has.
fn process_of(verb: &Verb) -> Option<&str> {
    match verb {
        Verb::Create | Verb::Run => Some(""),
        Verb::Exec(id) => Some(id),
        _ => None,
    }
}
