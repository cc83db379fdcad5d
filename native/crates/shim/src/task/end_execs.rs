//! EndExecs: lets go of the execs whose client is gone.

use rustix::process::Signal;
use ttrpc::Status;

use crate::shim::{Outcome, Shim};
use crate::task::{delete, is_being_made, kill};

/// Answers EndExecs.
///
/// # Errors
/// [`ttrpc::Code::NotFound`] without a container.
pub fn end_execs(shim: &mut Shim) -> Result<Outcome, Status> {
    let execs = &mut shim.held()?.execs;
    for process in execs.values_mut() {
        process.abandoned = true;
    }
    let exec_ids: Vec<String> = execs.keys().cloned().collect();
    for exec_id in exec_ids {
        go_on(shim, &exec_id);
    }
    Ok(Outcome::empty())
}

/// Takes an exec that is abandoned one step further: one that runs is killed, and one that does not is deleted. To be called
/// whenever it was started and whenever its end was told.
pub fn go_on(shim: &mut Shim, exec_id: &str) {
    // The runtime's answer brings it back here.
    if is_being_made(shim, exec_id) {
        return;
    }
    let process = shim.container.as_ref().and_then(|container| container.execs.get(exec_id));
    let Some(process) = process.filter(|process| process.abandoned) else { return };
    if process.pid == 0 || process.announced {
        let _ = delete::delete_exec(shim, exec_id);
    } else if process.exit.is_none() {
        let pid = process.pid;
        let _ = kill::send(pid, Signal::KILL);
        kill::let_die(shim, Some(pid));
    }
}
