//! Beginning a process: its streams, its terminal, and the runtime at work.

use ttrpc::{Code, Status};

use crate::clients::Reply;
use crate::console::Console;
use crate::container::Container;
use crate::runtime::{Making, Verb};
use crate::shim::Shim;
use crate::socket;
use crate::stdio::{self, Opened, StdioPaths, Unread};

/// Has the runtime make the main process, by `verb`, which is told how it is handed over.
///
/// # Errors
/// [`Code::NotFound`] without a container, those of the standard streams and of starting the runtime.
pub fn launch(shim: &mut Shim, reply: Reply, verb: impl FnOnce(Making) -> Verb) -> Result<(), Status> {
    let container = shim.held.get()?;
    let opened = open_streams(container, shim.outputs.log().is_some())?;
    let console = console(container, &container.init.stdio, shim.jobs.next_serial())?;
    let verb = verb(Making { pid_file: container.bundle.join("init.pid"), console });
    shim.jobs.begin(container, reply, (verb, opened.inherited))?;
    container.at_runtime = true;
    shim.outputs.watch("", opened.pumps, opened.stdin_keep)
}

fn open_streams(container: &Container, has_log: bool) -> Result<Opened, Status> {
    let terminal = container.init.stdio.terminal;
    let mut opened = if has_log && terminal {
        Opened::default()
    } else if has_log || container.init.stdio == StdioPaths::default() {
        // Without a log nobody else has a hand on these outputs, and somebody may attach.
        stdio::open_container(has_log)?
    } else {
        stdio::open(&container.init.stdio, Unread::Waits)?
    };
    if container.options.stdin && !terminal && opened.inherited.stdin.is_none() {
        let (read, keep) = stdio::held_stdin().map_err(|error| Status::new(Code::Internal, error.to_string()))?;
        opened.inherited.stdin = Some(read);
        opened.stdin_keep = Some(keep);
    }
    Ok(opened)
}

/// Has the runtime make an exec.
///
/// # Errors
/// [`Code::NotFound`], those of the standard streams and of starting the runtime.
pub fn launch_exec(shim: &mut Shim, reply: Reply, exec_id: &str) -> Result<(), Status> {
    let serial = shim.jobs.next_serial();
    let container = shim.held.get()?;
    let process = container.find(exec_id)?;
    let (stdio, spec) = (process.stdio.clone(), process.spec.clone());
    let mut opened = stdio::open(&stdio, Unread::Fails)?;
    opened.inherited.oom_score_adj = process.oom_score_adj;
    let pid_file = container.bundle.join(format!("exec-{serial}.pid"));
    let making = Making { pid_file, console: console(container, &stdio, serial)? };
    let verb = Verb::Exec { id: exec_id.to_owned(), spec, making };
    shim.jobs.begin(container, reply, (verb, opened.inherited))?;
    shim.outputs.watch(exec_id, opened.pumps, opened.stdin_keep)
}

fn console(container: &Container, stdio: &StdioPaths, serial: u64) -> Result<Option<Console>, Status> {
    if !stdio.terminal {
        return Ok(None);
    }
    let path = socket::short_path(&container.bundle, &format!("tty{serial}"));
    Console::open(&path).map(Some).map_err(|error| Status::new(Code::Internal, format!("{}: {error}", path.display())))
}
