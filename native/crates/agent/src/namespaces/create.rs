use std::path::PathBuf;

use rustix::process::Pid;
use ttrpc::Status;

use super::keeper::Keeper;
use super::kinds::{has_user_namespace, shared_kinds, unshare};
use super::pause::{self, Pause, Program};
use super::pins::{Kind, Pins};
use super::{release, setup};
use crate::failure;
use crate::proto::{CreateNamespacesRequest, CreateNamespacesResponse, ReleaseNamespacesRequest};
use crate::thread::apart;

/// Makes, sets up and pins a pod's namespaces; after a failure nothing of it is left.
pub fn create(request: &CreateNamespacesRequest) -> Result<CreateNamespacesResponse, Status> {
    check(request)?;
    let pins = Pins::new(&request.dir);
    if let Some(kind) = Kind::ALL.into_iter().find(|&kind| pins.inode(kind).is_some()) {
        let message = format!("{} is pinned already; release it first", pins.path(kind).display());
        return Err(Status::new(ttrpc::Code::AlreadyExists, message));
    }
    pins.make_dir()?;
    let mut pause = None;
    let made = if has_user_namespace(request) {
        make_owned(request, &pins, &mut pause)
    } else {
        apart(|| make_here(request, &pins, &mut pause))
    };
    let pause_pid = pause.map_or(0, |pid: Pid| pid.as_raw_nonzero().get());
    if let Err(error) = made {
        undo(request, pause_pid);
        return Err(error);
    }
    Ok(CreateNamespacesResponse { pause_pid })
}

fn check(request: &CreateNamespacesRequest) -> Result<(), Status> {
    failure::absolute("dir", &request.dir)?;
    if !(request.net || request.ipc || request.uts || request.pid || has_user_namespace(request)) {
        return Err(failure::invalid("no namespace was asked for"));
    }
    if request.uid_mappings.is_empty() != request.gid_mappings.is_empty() {
        return Err(failure::invalid("a user namespace needs mappings of both user and group ids"));
    }
    setup::sysctl_files(request).map(drop)
}

/// On a thread of its own: the rest of the agent stays where it is, but mounts land where all of it sees them.
fn make_here(request: &CreateNamespacesRequest, pins: &Pins, pause: &mut Option<Pid>) -> Result<(), Status> {
    let program = request.pid.then(|| Program::open(&request.pause_path)).transpose()?;
    unshare(request)?;
    setup::set_up(request)?;
    for (kind, _) in shared_kinds(request) {
        pins.pin(kind, &PathBuf::from("/proc/thread-self/ns").join(kind.name()))?;
    }
    let started = program.map(|program| program.start()).transpose()?;
    *pause = started.as_ref().map(|started| started.pid);
    settle_pause(request, pins, *pause)?;
    started.map_or(Ok(()), Pause::unleash)
}

/// With a user namespace that owns the others. Only a process of one thread can enter one, so there is a process.
fn make_owned(request: &CreateNamespacesRequest, pins: &Pins, pause: &mut Option<Pid>) -> Result<(), Status> {
    let mut keeper = Keeper::start(request)?;
    *pause = keeper.set_up(request)?;
    for (kind, _) in shared_kinds(request) {
        pins.pin(kind, &keeper.namespace(kind))?;
    }
    settle_pause(request, pins, *pause)?;
    keeper.let_go()
}

fn settle_pause(request: &CreateNamespacesRequest, pins: &Pins, pause: Option<Pid>) -> Result<(), Status> {
    let Some(pid) = pause else {
        return Ok(());
    };
    pins.pin(Kind::Pid, &PathBuf::from(format!("/proc/{}/ns/pid", pid.as_raw_nonzero())))?;
    pause::account(pid, &request.pause_cgroups)
}

fn undo(request: &CreateNamespacesRequest, pause_pid: i32) {
    // Best effort, under an error that is already on its way; the caller's own release repeats it.
    let _ = release::release(&ReleaseNamespacesRequest {
        dir: request.dir.clone(),
        pause_pid,
        pause_cgroups: request.pause_cgroups.clone(),
    });
}
