//! The end of a runtime process: goes on with what it was for and answers the call.

use std::process::ExitStatus;

use ttrpc::Status;

use crate::job::Job;
use crate::outputs::Outputs;
use crate::runtime::{self, Verb};
use crate::shim::Shim;
use crate::task::adopt::Made;
use crate::task::{checkpoint, create, delete, end_execs, start, update};

/// Goes on where the job's verb began.
pub fn finish(shim: &mut Shim, job: Job, status: ExitStatus) {
    let result = if status.success() { Ok(()) } else { Err(failure(&mut shim.outputs, &job, status)) };
    job.invocation.clean();
    if let (Some((exec_id, _)), true) = (job.verb.making(), result.is_ok()) {
        shim.outputs.forget_heard(exec_id);
    }
    let made = |making| Made { making, began: job.began, undone: job.undid(status) };
    let answer = match &job.verb {
        Verb::Create { making, .. } => create::created(shim, &made(making), result),
        Verb::Start => start::started(shim, job.began, result),
        Verb::Run { making, .. } => start::ran(shim, &made(making), result),
        Verb::Exec { id, making, .. } => {
            let answer = start::exec_started(shim, id, making, result);
            if let Some(container) = shim.held.peek_mut() {
                end_execs::go_on(container, &shim.jobs, &mut shim.outputs, id);
            }
            answer
        }
        Verb::Pause => update::paused(&mut shim.held, &shim.publisher, true, result),
        Verb::Resume => update::paused(&mut shim.held, &shim.publisher, false, result),
        Verb::Update(_) => result.map(|()| Vec::new()),
        Verb::Checkpoint { image, .. } => checkpoint::checkpointed(&shim.held, &shim.publisher, image, result),
        Verb::Delete { .. } => delete::deleted(shim, result),
    };
    shim.clients.reply(job.reply, answer);
}

fn failure(outputs: &mut Outputs, job: &Job, status: ExitStatus) -> Status {
    let heard = job.verb.making().map(|(exec_id, _)| outputs.heard(exec_id)).unwrap_or_default();
    let said = job.invocation.failure(&runtime::ended(status), &heard);
    job.failure(&(said + &checkpoint::criu_errors(&job.verb)))
}
