//! Pause, Resume and Update, which the runtime carries out.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, memfd_create};
use ttrpc::{Code, Status};

use crate::job::{self, Order, Verb};
use crate::proto::{events, task};
use crate::runtime::Inherited;
use crate::shim::{Outcome, Reply, Shim};

/// Answers Pause.
///
/// # Errors
/// [`Code::NotFound`] and that of starting the runtime.
pub fn pause(shim: &mut Shim, reply: Reply) -> Result<Outcome, Status> {
    ask(shim, reply, Verb::Pause, (&["pause"], Inherited::default()))
}

/// Answers Resume.
///
/// # Errors
/// [`Code::NotFound`] and that of starting the runtime.
pub fn resume(shim: &mut Shim, reply: Reply) -> Result<Outcome, Status> {
    ask(shim, reply, Verb::Resume, (&["resume"], Inherited::default()))
}

/// Answers Update. `resources` is the OCI spec's LinuxResources as JSON.
///
/// # Errors
/// [`Code::InvalidArgument`] without resources, and as [`pause`].
pub fn update(shim: &mut Shim, reply: Reply, request: &task::UpdateTaskRequest) -> Result<Outcome, Status> {
    let Some(resources) = &request.resources else {
        return Err(Status::new(Code::InvalidArgument, "update without resources"));
    };
    let document = in_memory(&resources.value)
        .map_err(|error| Status::new(Code::Internal, format!("resources of container {}: {error}", request.id)))?;
    let inherited = Inherited { stdin: Some(document), ..Inherited::default() };
    ask(shim, reply, Verb::Update, (&["update", "--resources", "-"], inherited))
}

/// A file without a name that holds these bytes and is read from their start.
fn in_memory(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(c"resources", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

fn ask(shim: &mut Shim, reply: Reply, verb: Verb, call: (&[&str], Inherited)) -> Result<Outcome, Status> {
    let (args, inherited) = call;
    let order = Order { inherited, ..Order::of([args, &[shim.held()?.id.as_str()]].concat()) };
    job::begin(shim, verb, reply, order)?;
    Ok(Outcome::Later)
}

/// The runtime's `pause` or `resume` ended.
///
/// # Errors
/// The runtime's.
pub fn paused(shim: &mut Shim, result: Result<(), Status>, now: bool) -> Result<Vec<u8>, Status> {
    result?;
    let container = shim.held()?;
    container.init.paused = now;
    let id = container.id.clone();
    if now {
        shim.publisher.publish("/tasks/paused", &events::TaskPaused { container_id: id });
    } else {
        shim.publisher.publish("/tasks/resumed", &events::TaskResumed { container_id: id });
    }
    Ok(Vec::new())
}
