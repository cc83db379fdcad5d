//! Create: mounts the root filesystem and makes the container, not yet started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use prost::Message;
use ttrpc::{Code, Status};

use crate::console::Console;
use crate::container::Container;
use crate::job::{self, Job, Order, Verb};
use crate::log_writer::LogWriter;
use crate::options::Options;
use crate::process::Process;
use crate::proto::{events, task};
use crate::pump::Pump;
use crate::rootfs;
use crate::runtime::Inherited;
use crate::shim::{Outcome, Reply, Shim};
use crate::sink::Sink;
use crate::socket;
use crate::stdio::{self, Opened, StdioPaths, Unread};
use crate::task::checkpoint::restore_args;
use crate::task::exit;
use cgroup::{CgroupPaths, OomWatch, spec_path};

/// Answers Create.
///
/// # Errors
/// [`Code::AlreadyExists`], those of the options and the standard streams, and the mount's.
pub fn create(shim: &mut Shim, reply: Reply, request: task::CreateTaskRequest) -> Result<Outcome, Status> {
    if shim.container.is_some() {
        return Err(Status::new(Code::AlreadyExists, format!("container {} is created already", shim.id)));
    }
    let container = prepare(shim, request)?;
    let run_on_start = container.runs_on_start();
    shim.container = Some(container);
    if run_on_start {
        return Ok(Outcome::message(&task::CreateTaskResponse { pid: 0 }));
    }
    match launch(shim, reply, Verb::Create) {
        Ok(()) => Ok(Outcome::Later),
        Err(status) => {
            abandon(shim);
            Err(status)
        }
    }
}

fn prepare(shim: &Shim, request: task::CreateTaskRequest) -> Result<Container, Status> {
    let options = Options::decode(request.options.as_ref(), shim.publisher.namespace())?;
    let log = match &options.log {
        Some((path, limit)) => {
            Some(LogWriter::open(path, *limit).map_err(|error| Status::new(Code::Internal, error.to_string()))?)
        }
        None => None,
    };
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
        log,
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
            .map_err(|error| Status::new(Code::Internal, format!("container {}: {error}", shim.id)))?;
    }
    container.measured("rootfs", began.elapsed());
    Ok(container)
}

/// Starts the runtime's `create` or `run` for the main process.
///
/// # Errors
/// Those of the standard streams and of starting the runtime.
pub fn launch(shim: &mut Shim, reply: Reply, verb: Verb) -> Result<(), Status> {
    let opened = open_streams(shim)?;
    let serial = shim.next_serial();
    let container = shim.held()?;
    let console = console(container, serial)?;
    let pid_file = container.bundle.join("init.pid");
    let mut args: Vec<OsString> = match (&verb, &container.checkpoint) {
        (Verb::Run, Some(image)) => restore_args(container, image)?,
        (Verb::Run, None) => vec!["run".into(), "--detach".into()],
        _ => vec!["create".into()],
    };
    args.extend(["--bundle".into(), container.bundle.clone().into(), "--pid-file".into(), pid_file.clone().into()]);
    if let Some(console) = &console {
        args.extend(["--console-socket".into(), console.path.clone().into()]);
    }
    args.push(container.id.clone().into());
    let inherited = Inherited { handed_on: console.is_none(), ..opened.inherited };
    job::begin(shim, verb, reply, Order { args, inherited, pid_file: Some(pid_file), console })?;
    let container = shim.held()?;
    container.at_runtime = true;
    container.init.stdin_keep = opened.stdin_keep;
    shim.watch("", opened.pumps)
}

fn open_streams(shim: &mut Shim) -> Result<Opened, Status> {
    let container = shim.held()?;
    let terminal = container.init.stdio.terminal;
    let mut opened = match container.log {
        Some(_) if terminal => Opened::default(),
        Some(_) => stdio::open_container(true)?,
        // Nobody else has a hand on these outputs, and somebody may attach.
        None if container.init.stdio == StdioPaths::default() => stdio::open_container(false)?,
        None => stdio::open(&container.init.stdio, Unread::Waits)?,
    };
    if container.options.stdin && !terminal && opened.inherited.stdin.is_none() {
        let (read, keep) = stdio::held_stdin().map_err(|error| Status::new(Code::Internal, error.to_string()))?;
        opened.inherited.stdin = Some(read);
        opened.stdin_keep = Some(keep);
    }
    Ok(opened)
}

fn console(container: &Container, serial: u64) -> Result<Option<Console>, Status> {
    if !container.init.stdio.terminal {
        return Ok(None);
    }
    let path = socket::short_path(&container.bundle, &format!("tty{serial}"));
    Console::open(&path).map(Some).map_err(|error| Status::new(Code::Internal, format!("{}: {error}", path.display())))
}

/// The runtime's `create` ended.
///
/// # Errors
/// The runtime's; nothing of the container is left then.
pub fn created(shim: &mut Shim, job: Job, result: Result<(), Status>) -> Result<Vec<u8>, Status> {
    let undone = job.undone;
    if let Err(status) = result.and_then(|()| adopt_init(shim, &job)) {
        if let Ok(container) = shim.held() {
            if undone { container.remove_left_cgroup() } else { container.sweep() }
        }
        abandon(shim);
        return Err(status);
    }
    let container = shim.held()?;
    container.measured("oci-create", job.began.elapsed());
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

/// Takes over the process that the runtime made: its pid, cgroup and terminal.
///
/// # Errors
/// [`Code::Internal`] when the runtime left no pid or no terminal.
pub fn adopt_init(shim: &mut Shim, job: &Job) -> Result<(), Status> {
    let pid = read_pid(job)?;
    let ended = shim.has_reaped(pid);
    let container = shim.held()?;
    container.init.pid = pid;
    // A pid that was reaped may be another process's by now.
    let living = (!ended).then_some(pid);
    container.cgroup = CgroupPaths::of(living, &container.spec_cgroup);
    if let Some(cgroup) = &container.cgroup {
        container.oom.begin(cgroup);
    }
    let sink = if container.log.is_some() {
        Sink::Log(crate::log_writer::Stream::Stdout)
    } else {
        stdio::terminal_sink(&container.init.stdio)?
    };
    shim.watch_memory()?;
    adopt_terminal(shim, "", job, sink)
}

/// Takes the terminal from the console socket, if the process has one, and watches its output.
///
/// # Errors
/// [`Code::Internal`] when the runtime left none.
pub fn adopt_terminal(shim: &mut Shim, exec_id: &str, job: &Job, sink: Sink) -> Result<(), Status> {
    let Some(console) = &job.console else { return Ok(()) };
    let failed = |error: std::io::Error| Status::new(Code::Internal, format!("terminal: {error}"));
    let terminal = console.receive().map_err(failed)?;
    rustix::fs::fcntl_setfl(&terminal, rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::RDWR)
        .map_err(|error| failed(error.into()))?;
    let output = terminal.try_clone().map_err(failed)?;
    let process = shim.held()?.process_mut(exec_id);
    if let Some(process) = process {
        process.terminal = Some(terminal);
    }
    shim.watch(exec_id, vec![Pump::new(output, sink)])?;
    shim.watch_terminal_input(exec_id)
}

/// Reads and removes the pid file.
///
/// # Errors
/// [`Code::Internal`] when there is no pid in it.
pub fn read_pid(job: &Job) -> Result<u32, Status> {
    let path = job.pid_file.as_deref().unwrap_or_else(|| std::path::Path::new(""));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let _ = std::fs::remove_file(path);
    text.trim()
        .parse()
        .map_err(|_| Status::new(Code::Internal, format!("the runtime left no pid in {}", path.display())))
}

/// The process may have ended before its pid was known.
pub fn settle(shim: &mut Shim, pid: u32) {
    if let Some(status) = shim.claim(pid) {
        exit::reaped(shim, pid, status);
    }
}

/// Undoes a failed start: the runtime removes what it made by itself; the root filesystem is ours.
pub fn abandon(shim: &mut Shim) {
    shim.close_outputs("");
    if let Some(container) = shim.container.take() {
        // A mount that cannot be removed now is removed with the bundle by `delete`.
        let _ = mount::detach(&container.rootfs());
    }
}
