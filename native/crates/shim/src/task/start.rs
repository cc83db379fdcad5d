//! Start: runs the main process or an exec.

use std::ffi::OsString;

use prost::Message;
use ttrpc::{Code, Status};

use crate::clock;
use crate::console::Console;
use crate::job::{self, Job, Order, Verb};
use crate::proto::{events, task};
use crate::runtime::Inherited;
use crate::shim::{Outcome, Reply, Shim};
use crate::socket;
use crate::stdio::{self, Unread};
use crate::task::create::{adopt_init, adopt_terminal, launch, read_pid, settle};

/// Answers Start, for the main process or, with an exec id, for that.
///
/// # Errors
/// [`Code::NotFound`] and [`Code::FailedPrecondition`], and those of starting the runtime.
pub fn start(shim: &mut Shim, reply: Reply, request: &task::StartRequest) -> Result<Outcome, Status> {
    if !request.exec_id.is_empty() {
        start_exec(shim, reply, &request.exec_id)?;
        return Ok(Outcome::Later);
    }
    let container = shim.held()?;
    if container.init.started_at.is_some() || container.init.exit.is_some() {
        return Err(Status::new(Code::FailedPrecondition, format!("container {} was started already", container.id)));
    }
    if container.runs_on_start() {
        launch(shim, reply, Verb::Run)?;
        return Ok(Outcome::Later);
    }
    let order = Order::of(["start", container.id.as_str()]);
    job::begin(shim, Verb::Start, reply, order)?;
    Ok(Outcome::Later)
}

/// The runtime's `start` ended.
///
/// # Errors
/// The runtime's. The container stays as created; Delete removes it.
pub fn started(shim: &mut Shim, job: &Job, result: Result<(), Status>) -> Result<Vec<u8>, Status> {
    result?;
    shim.held()?.measured("oci-start", job.began.elapsed());
    announce_start(shim)
}

/// The runtime's `run` ended.
///
/// # Errors
/// The runtime's. One that failed by itself has removed the container; Delete removes the rest.
pub fn ran(shim: &mut Shim, job: Job, result: Result<(), Status>) -> Result<Vec<u8>, Status> {
    let undone = job.undone;
    if let Err(status) = result.and_then(|()| adopt_init(shim, &job)) {
        shim.close_outputs("");
        if let Ok(container) = shim.held() {
            container.at_runtime = !undone;
            if undone {
                container.remove_left_cgroup();
            } else if container.init.pid == 0 {
                container.kill_unknown();
            }
        }
        return Err(status);
    }
    shim.held()?.measured("oci-run", job.began.elapsed());
    announce_start(shim)
}

fn announce_start(shim: &mut Shim) -> Result<Vec<u8>, Status> {
    let container = shim.held()?;
    container.init.started_at = Some(clock::now());
    let pid = container.init.pid;
    let event = events::TaskStart { container_id: container.id.clone(), pid };
    shim.publisher.publish("/tasks/start", &event);
    settle(shim, pid);
    Ok(task::StartResponse { pid }.encode_to_vec())
}

fn start_exec(shim: &mut Shim, reply: Reply, exec_id: &str) -> Result<(), Status> {
    let serial = shim.next_serial();
    let container = shim.held()?;
    let missing = || Status::new(Code::NotFound, format!("exec {exec_id} is not created"));
    let process = container.execs.get(exec_id).ok_or_else(missing)?;
    if process.pid != 0 {
        return Err(Status::new(Code::FailedPrecondition, format!("exec {exec_id} was started already")));
    }
    let mut opened = stdio::open(&process.stdio, Unread::Fails)?;
    opened.inherited.oom_score_adj = process.oom_score_adj;
    let pid_file = container.bundle.join(format!("exec-{serial}.pid"));
    let mut args: Vec<OsString> =
        vec!["exec".into(), "--detach".into(), "--process".into(), process.spec.clone().into()];
    args.extend(["--pid-file".into(), pid_file.clone().into()]);
    let mut console = None;
    if process.stdio.terminal {
        let path = socket::short_path(&container.bundle, &format!("tty{serial}"));
        let open = Console::open(&path).map_err(|error| Status::new(Code::Internal, error.to_string()))?;
        // The description says that there is a terminal; not every runtime knows to be told so beside it.
        args.extend(["--console-socket".into(), open.path.clone().into()]);
        console = Some(open);
    }
    args.push(container.id.clone().into());
    let inherited = Inherited { handed_on: console.is_none(), ..opened.inherited };
    let order = Order { args, inherited, pid_file: Some(pid_file), console };
    job::begin(shim, Verb::Exec(exec_id.to_owned()), reply, order)?;
    if let Some(process) = shim.held()?.execs.get_mut(exec_id) {
        process.stdin_keep = opened.stdin_keep;
    }
    shim.watch(exec_id, opened.pumps)
}

/// The runtime's `exec` ended.
///
/// # Errors
/// The runtime's, such as a program that is not in the container.
pub fn exec_started(shim: &mut Shim, job: Job, exec_id: &str, result: Result<(), Status>) -> Result<Vec<u8>, Status> {
    if let Err(status) = result {
        shim.close_outputs(exec_id);
        return Err(status);
    }
    let pid = read_pid(&job)?;
    let container = shim.held()?;
    let id = container.id.clone();
    let gone = || Status::new(Code::NotFound, format!("exec {exec_id} was deleted meanwhile"));
    let process = container.execs.get_mut(exec_id).ok_or_else(gone)?;
    process.pid = pid;
    process.started_at = Some(clock::now());
    let _ = std::fs::remove_file(&process.spec);
    let sink = stdio::terminal_sink(&process.stdio)?;
    adopt_terminal(shim, exec_id, &job, sink)?;
    let event = events::TaskExecStarted { container_id: id, exec_id: exec_id.to_owned(), pid };
    shim.publisher.publish("/tasks/exec-started", &event);
    settle(shim, pid);
    Ok(task::StartResponse { pid }.encode_to_vec())
}
