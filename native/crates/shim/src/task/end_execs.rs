//! EndExecs: lets go of the execs whose client is gone.

use rustix::process::Signal;
use ttrpc::Status;

use crate::clients::Outcome;
use crate::container::Container;
use crate::jobs::Jobs;
use crate::outputs::Outputs;
use crate::task::{delete, kill};

/// Answers EndExecs.
///
/// # Errors
/// None.
pub fn end_execs(container: &mut Container, jobs: &Jobs, outputs: &mut Outputs) -> Result<Outcome, Status> {
    for process in container.execs.values_mut() {
        process.abandoned = true;
    }
    let exec_ids: Vec<String> = container.execs.keys().cloned().collect();
    for exec_id in exec_ids {
        go_on(container, jobs, outputs, &exec_id);
    }
    Ok(Outcome::empty())
}

/// Takes an exec that is abandoned one step further: one that runs is killed, and one that does not is deleted. To be called
/// whenever it was started and whenever its end was told.
pub fn go_on(container: &mut Container, jobs: &Jobs, outputs: &mut Outputs, exec_id: &str) {
    // The runtime's answer brings it back here.
    if jobs.make(exec_id) {
        return;
    }
    let Some(process) = container.execs.get(exec_id).filter(|process| process.abandoned) else { return };
    if process.pid == 0 || process.announced {
        let _ = delete::delete_exec(container, outputs, exec_id);
    } else if process.exit.is_none() {
        let pid = process.pid;
        let _ = kill::send(pid, Signal::KILL);
        kill::let_die(container, Some(pid));
    }
}
