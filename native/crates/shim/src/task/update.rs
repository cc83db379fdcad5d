//! Pause, Resume and Update, which the runtime carries out.

use ttrpc::{Code, Status};

use crate::clients::{Outcome, Reply};
use crate::container::Container;
use crate::events::Publisher;
use crate::held::Held;
use crate::jobs::Jobs;
use crate::proto::{events, task};
use crate::runtime::{Inherited, Verb};

/// Answers Pause.
///
/// # Errors
/// That of starting the runtime.
pub fn pause(container: &Container, jobs: &mut Jobs, reply: Reply) -> Result<Outcome, Status> {
    ask(container, jobs, reply, Verb::Pause)
}

/// Answers Resume.
///
/// # Errors
/// That of starting the runtime.
pub fn resume(container: &Container, jobs: &mut Jobs, reply: Reply) -> Result<Outcome, Status> {
    ask(container, jobs, reply, Verb::Resume)
}

/// Answers Update. `resources` is the OCI spec's LinuxResources as JSON.
///
/// # Errors
/// [`Code::InvalidArgument`] without resources, and that of starting the runtime.
pub fn update(
    container: &Container,
    jobs: &mut Jobs,
    reply: Reply,
    request: task::UpdateTaskRequest,
) -> Result<Outcome, Status> {
    let missing = || Status::new(Code::InvalidArgument, "update without resources");
    ask(container, jobs, reply, Verb::Update(request.resources.ok_or_else(missing)?.value))
}

fn ask(container: &Container, jobs: &mut Jobs, reply: Reply, verb: Verb) -> Result<Outcome, Status> {
    jobs.begin(container, reply, (verb, Inherited::default()))?;
    Ok(Outcome::Later)
}

/// The runtime's `pause` or `resume` ended.
///
/// # Errors
/// The runtime's.
pub fn paused(
    held: &mut Held,
    publisher: &Publisher,
    now: bool,
    result: Result<(), Status>,
) -> Result<Vec<u8>, Status> {
    result?;
    let container = held.get()?;
    container.init.paused = now;
    let container_id = container.id.clone();
    if now {
        publisher.publish("/tasks/paused", &events::TaskPaused { container_id });
    } else {
        publisher.publish("/tasks/resumed", &events::TaskResumed { container_id });
    }
    Ok(Vec::new())
}
