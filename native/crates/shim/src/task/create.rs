//! Create: mounts the root filesystem and makes the container, not yet started.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use prost::Message;
use ttrpc::{Code, Status};

use crate::clients::{Outcome, Reply};
use crate::container::Container;
use crate::log_writer::LogWriter;
use crate::options::Options;
use crate::process::Process;
use crate::proto::{events, task};
use crate::rootfs;
use crate::runtime::Verb;
use crate::shim::Shim;
use crate::stdio::StdioPaths;
use crate::task::adopt::{Made, adopt_init, settle};
use crate::task::launch::launch;
use cgroup::{OomWatch, spec_path};

/// Answers Create.
///
/// # Errors
/// [`Code::AlreadyExists`], those of the options and the standard streams, and the mount's.
pub fn create(shim: &mut Shim, reply: Reply, request: task::CreateTaskRequest) -> Result<Outcome, Status> {
    if shim.held.peek().is_some() {
        return Err(Status::new(Code::AlreadyExists, format!("container {} is created already", shim.held.id())));
    }
    let options = Options::decode(request.options.as_ref(), shim.publisher.namespace())?;
    let log = options.log.as_ref().map(|(path, limit)| LogWriter::open(path, *limit)).transpose();
    let log = log.map_err(|error| Status::new(Code::Internal, error.to_string()))?;
    let container = prepare(shim.held.id(), options, request)?;
    let (run_on_start, bundle) = (container.runs_on_start(), container.bundle.clone());
    shim.held.put(container);
    shim.outputs.keep_log(log);
    if run_on_start {
        return Ok(Outcome::message(&task::CreateTaskResponse { pid: 0 }));
    }
    match launch(shim, reply, |making| Verb::Create { bundle, making }) {
        Ok(()) => Ok(Outcome::Later),
        Err(status) => {
            abandon(shim);
            Err(status)
        }
    }
}

fn prepare(id: &str, options: Options, request: task::CreateTaskRequest) -> Result<Container, Status> {
    let stdio =
        StdioPaths { terminal: request.terminal, stdin: request.stdin, stdout: request.stdout, stderr: request.stderr };
    let bundle = PathBuf::from(request.bundle);
    let spec_cgroup = spec_path(&bundle);
    let mut container = Container {
        id: request.id,
        oom: OomWatch::before(&spec_cgroup),
        spec_cgroup,
        bundle,
        options,
        init: Process { stdio, ..Process::default() },
        execs: BTreeMap::new(),
        cgroup: None,
        oom_kills_before_kill: 0,
        recorded: false,
        micros: BTreeMap::new(),
        at_runtime: false,
        checkpoint: (!request.checkpoint.is_empty()).then(|| PathBuf::from(request.checkpoint)),
    };
    container
        .options
        .runtime
        .record(&container.bundle)
        .map_err(|error| Status::new(Code::Internal, format!("bundle {}: {error}", container.bundle.display())))?;
    let began = Instant::now();
    if !request.rootfs.is_empty() {
        rootfs::mount_all(&request.rootfs, &container.bundle, &container.rootfs())
            .map_err(|error| Status::new(Code::Internal, format!("container {id}: {error}")))?;
    }
    container.measured("rootfs", began.elapsed());
    Ok(container)
}

/// The runtime's `create` ended.
///
/// # Errors
/// The runtime's; nothing of the container is left then.
pub fn created(shim: &mut Shim, made: &Made<'_>, result: Result<(), Status>) -> Result<Vec<u8>, Status> {
    if let Err(status) = result.and_then(|()| adopt_init(shim, made.making)) {
        if let Some(container) = shim.held.peek() {
            if made.undone { container.remove_left_cgroup() } else { container.sweep() }
        }
        abandon(shim);
        return Err(status);
    }
    let container = shim.held.get()?;
    container.measured("oci-create", made.began.elapsed());
    let pid = container.init.pid;
    let event = events::TaskCreate {
        container_id: container.id.clone(),
        bundle: container.bundle.display().to_string(),
        pid,
        ..events::TaskCreate::default()
    };
    shim.publisher.publish("/tasks/create", &event);
    settle(shim, pid);
    Ok(task::CreateTaskResponse { pid }.encode_to_vec())
}

/// Undoes a failed start: the runtime removes what it made by itself; the root filesystem is ours.
fn abandon(shim: &mut Shim) {
    shim.outputs.close_all();
    if let Some(container) = shim.held.take() {
        // A mount that cannot be removed now is removed with the bundle by `delete`.
        let _ = mount::detach(&container.rootfs());
    }
}
