//! Runtime processes that are not waited for: their call's time is up, or a client wants the end of what they make.

use std::time::{Duration, Instant};

use processes::kill_tree;
use ttrpc::{Code, Status};

use crate::job::{Job, Verb};
use crate::shim::Shim;

/// How long a runtime may still take to make a process that is to be killed: killed midway it leaves more behind.
const KILL_PATIENCE: Duration = Duration::from_secs(1);

/// Has the runtime processes end soon that make this process, the main one for an empty id.
pub fn hurry(shim: &mut Shim, exec_id: &str) {
    let soon = Instant::now() + KILL_PATIENCE;
    for job in shim.jobs.values_mut().filter(|job| makes(&job.verb, exec_id)) {
        if job.deadline.is_none_or(|deadline| deadline > soon) {
            job.deadline = Some(soon);
            job.hurried = true;
        }
    }
}

/// Kills the runtime processes whose time is up. Their ends come as those of others.
pub fn cut_overdue(shim: &mut Shim) {
    let now = Instant::now();
    let mut main = false;
    for job in shim.jobs.values_mut().filter(|job| !job.cut && job.deadline.is_some_and(|deadline| deadline <= now)) {
        job.cut = true;
        kill_tree(job.invocation.child.pid);
        main |= makes(&job.verb, "");
    }
    if main && let Some(container) = &shim.container {
        // What its maker left to us is in no tree of it: crun has a child wait for the hooks.
        container.kill_unknown();
    }
}

/// Whether this makes or starts this process, the main one for an empty id.
pub fn makes(verb: &Verb, exec_id: &str) -> bool {
    match verb {
        Verb::Create | Verb::Start | Verb::Run => exec_id.is_empty(),
        Verb::Exec(id) => id == exec_id,
        _ => false,
    }
}

/// What a cut call is answered with.
#[must_use]
pub fn failure(job: &Job, said: &str) -> Status {
    if job.hurried {
        return Status::new(Code::Aborted, format!("{said}; it was killed at a client's wish"));
    }
    let seconds = job.began.elapsed().as_secs_f32();
    Status::new(Code::DeadlineExceeded, format!("{said}; it was killed after {seconds:.1} s"))
}
