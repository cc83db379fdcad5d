//! Taking over a process that the runtime made.

use std::io;
use std::path::Path;
use std::time::Instant;

use rustix::fs::{OFlags, fcntl_setfl};
use ttrpc::{Code, Status};

use crate::clock;
use crate::log_writer::Stream;
use crate::outputs::Outputs;
use crate::process::Process;
use crate::pump::Pump;
use crate::runtime::Making;
use crate::shim::Shim;
use crate::sink::Sink;
use crate::stdio;
use crate::task::exit;
use cgroup::CgroupPaths;

/// What a runtime that has ended was to make.
#[derive(Debug)]
pub struct Made<'a> {
    pub making: &'a Making,
    /// When it began.
    pub began: Instant,
    /// It failed by itself, and so has removed what it made.
    pub undone: bool,
}

/// Takes over the main process: its pid, cgroup and terminal.
///
/// # Errors
/// [`Code::Internal`] when the runtime left no pid or no terminal.
pub fn adopt_init(shim: &mut Shim, making: &Making) -> Result<(), Status> {
    let pid = read_pid(&making.pid_file)?;
    // A pid that was reaped may be another process's by now.
    let living = (!shim.jobs.have_end_of(pid)).then_some(pid);
    let container = shim.held.get()?;
    container.init.pid = pid;
    container.cgroup = CgroupPaths::of(living, &container.spec_cgroup);
    if let Some(cgroup) = &container.cgroup {
        container.oom.begin(cgroup);
    }
    if let Some(word) = container.oom.word() {
        let failed = |error: io::Error| Status::new(Code::Internal, format!("watch memory: {error}"));
        shim.events.watch_memory(word).map_err(failed)?;
    }
    adopt_terminal(&mut container.init, &mut shim.outputs, making)
}

/// Takes over an exec, which runs: its pid, which is returned, and terminal.
///
/// # Errors
/// [`Code::NotFound`] when it was deleted meanwhile, and those of [`adopt_init`].
pub fn adopt_exec(shim: &mut Shim, exec_id: &str, making: &Making) -> Result<u32, Status> {
    let pid = read_pid(&making.pid_file)?;
    let gone = || Status::new(Code::NotFound, format!("exec {exec_id} was deleted meanwhile"));
    let process = shim.held.get()?.execs.get_mut(exec_id).ok_or_else(gone)?;
    process.pid = pid;
    process.started_at = Some(clock::now());
    let _ = std::fs::remove_file(&process.spec);
    adopt_terminal(process, &mut shim.outputs, making)?;
    Ok(pid)
}

/// Takes the terminal from the console socket, if the process has one, and watches its output and what a client types.
fn adopt_terminal(process: &mut Process, outputs: &mut Outputs, making: &Making) -> Result<(), Status> {
    let Some(console) = &making.console else { return Ok(()) };
    let failed = |error: io::Error| Status::new(Code::Internal, format!("terminal: {error}"));
    let terminal = console.receive().map_err(failed)?;
    fcntl_setfl(&terminal, OFlags::NONBLOCK | OFlags::RDWR).map_err(|error| failed(error.into()))?;
    let logged = process.exec_id.is_empty() && outputs.log().is_some();
    let sink = if logged { Sink::Log(Stream::Stdout) } else { stdio::terminal_sink(&process.stdio)? };
    let output = Pump::new(terminal.try_clone().map_err(failed)?, sink);
    outputs.watch(&process.exec_id, vec![output], None)?;
    if let Some(input) = stdio::terminal_input(&process.stdio)? {
        outputs.watch_input(&process.exec_id, input, terminal.try_clone().map_err(failed)?.into())?;
    }
    process.terminal = Some(terminal);
    Ok(())
}

/// Reads and removes the pid file.
fn read_pid(path: &Path) -> Result<u32, Status> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let _ = std::fs::remove_file(path);
    let missing = |_| Status::new(Code::Internal, format!("the runtime left no pid in {}", path.display()));
    text.trim().parse().map_err(missing)
}

/// The process may have ended before its pid was known.
pub fn settle(shim: &mut Shim, pid: u32) {
    if let Some(status) = shim.jobs.claim(pid) {
        exit::reaped(&mut shim.held, &mut shim.outputs, pid, status);
    }
}
