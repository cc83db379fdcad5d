//! Kill: signals the main process, an exec, or everything in the container.

use rustix::process::{Pid, Signal, kill_process};
use ttrpc::{Code, Status};

use crate::clients::Outcome;
use crate::container::Container;
use crate::proto::task;

/// Answers Kill. The shim reaps the processes itself, so a pid that it holds is never somebody else's.
///
/// # Errors
/// [`Code::NotFound`] when the process is gone, [`Code::InvalidArgument`] for no signal.
pub fn kill(container: &mut Container, request: &task::KillRequest) -> Result<Outcome, Status> {
    let signal = i32::try_from(request.signal)
        .ok()
        .and_then(named_signal)
        .ok_or_else(|| Status::new(Code::InvalidArgument, format!("{} is no signal", request.signal)))?;
    let process = container.find(&request.exec_id)?;
    let (pid, gone) = (process.pid, process.exit.is_some() || process.pid == 0);
    if signal == Signal::KILL && request.exec_id.is_empty() && !gone {
        container.oom_kills_before_kill = container.oom.kills();
    }
    // An exec has no cgroup of its own: with all its signal still reaches it alone.
    let all = request.all && request.exec_id.is_empty();
    if all {
        let others = container.cgroup.as_ref().map(cgroup::CgroupPaths::pids).unwrap_or_default();
        let own = std::process::id();
        for other in others.into_iter().filter(|other| *other > 1 && *other != pid && *other != own) {
            let _ = send(other, signal);
        }
    }
    if gone && !all {
        return Err(finished(&request.exec_id));
    }
    if !gone {
        send(pid, signal).map_err(|_| finished(&request.exec_id))?;
    }
    if signal == Signal::KILL {
        let_die(container, (!request.exec_id.is_empty()).then_some(pid));
    }
    Ok(Outcome::empty())
}

/// Lets what was sent SIGKILL end although the container is frozen: an exec, or with its main process the container as a whole,
/// since frozen processes do not even end with their PID namespace.
pub fn let_die(container: &Container, exec: Option<u32>) {
    match (&container.cgroup, exec) {
        (Some(cgroup), Some(pid)) => cgroup.let_die(&[pid]),
        (Some(cgroup), None) if cgroup.holds_the_dying() => cgroup.kill(),
        _ => {}
    }
}

/// Signals one process.
///
/// # Errors
/// That of kill(2).
pub fn send(pid: u32, signal: Signal) -> rustix::io::Result<()> {
    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        Some(pid) => kill_process(pid, signal),
        None => Err(rustix::io::Errno::SRCH),
    }
}

fn finished(exec_id: &str) -> Status {
    let what = if exec_id.is_empty() { "the container's process" } else { exec_id };
    Status::new(Code::NotFound, format!("{what}: process already finished"))
}

fn named_signal(number: i32) -> Option<Signal> {
    Signal::from_named_raw(number).or_else(|| sys::realtime_signal(number))
}
