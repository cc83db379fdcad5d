//! `delete`: clears up after a shim that is gone, or that nobody can talk to any more. It may be that of somebody else.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use prost::Message;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use sys::Child;

use crate::args::Args;
use crate::clock;
use crate::exit::read_record;
use crate::proto::task;
use crate::runtime::{Cli, Inherited, Order, Runtime, Verb, works_on};
use crate::socket;
use cgroup::{CgroupPaths, spec_path};
use processes::Words;

/// The exit code of a container that nobody saw ending.
const KILLED: u32 = 137;
/// How long runtime processes that are at work on the container may go on.
const RUNTIME_PATIENCE: Duration = Duration::from_secs(2);
/// How long the runtime may take to delete the container.
const DELETE_PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// A killed process that is still there after this long is stuck in the kernel.
const KILL_PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Kills the shim if it lives and what the container left, unmounts its root filesystem and prints a DeleteResponse.
///
/// # Errors
/// That of unmounting or of writing the answer.
pub fn delete(args: &Args) -> io::Result<()> {
    let bundle = match &args.bundle {
        Some(bundle) => bundle.clone(),
        None => std::env::current_dir()?,
    };
    let own = std::env::args().next().unwrap_or_default();
    // A shim that was just being started has told nobody its number.
    processes::kill_all(Words::Arguments, |words| is_shim(words, &own, args));
    let runtime = Cli::recorded(&bundle);
    let cgroup = CgroupPaths::at(&spec_path(&bundle));
    // A runtime that entered a frozen cgroup is held in there, too.
    cgroup.iter().filter(|cgroup| cgroup.holds_the_dying()).for_each(CgroupPaths::kill);
    settle(&args.id);
    // Before the runtime's turn, which kills the first process and then waits for those that live without it.
    cgroup.iter().for_each(CgroupPaths::kill);
    match &args.shim {
        None => ask_runtime(&runtime, &args.id, &bundle),
        Some(program) => ask_shim(program, args, &bundle),
    }
    // Looked for anew: a runtime that was at work may have made it meanwhile.
    CgroupPaths::at(&spec_path(&bundle)).iter().for_each(CgroupPaths::remove);
    runtime.forget(&args.id);
    mount::detach(&bundle.join("rootfs"))?;
    // It may lie outside of the bundle, where nobody else would find it.
    let _ = std::fs::remove_file(socket::short_path(&bundle, socket::NAME));
    io::stdout().write_all(&answer(&bundle).encode_to_vec())
}

/// What the container's shim recorded before it was gone, or that the container ended by our hand.
fn answer(bundle: &Path) -> task::DeleteResponse {
    let (pid, code, at) =
        read_record(bundle).map_or((0, KILLED, clock::now()), |(pid, exit)| (pid, exit.code, exit.at));
    task::DeleteResponse { pid, exit_status: code, exited_at: Some(at) }
}

/// Whether these words start the container's shim, or are those of the shim, which shares them.
fn is_shim(words: &[&str], own: &str, args: &Args) -> bool {
    let flag = |name: &str, value: &str| words.windows(2).any(|pair| pair == [name, value]);
    words[0] == own && words.last() == Some(&"start") && flag("-id", &args.id) && flag("-namespace", &args.namespace)
}

/// Lets runtime processes that work on the container come to their end, and another's shim of it, which is marked like them,
/// and kills them after a while.
pub fn settle(id: &str) {
    processes::wait_for_end(Words::Environment, works_on(id), RUNTIME_PATIENCE);
    processes::kill_all(Words::Environment, works_on(id));
}

/// Has the runtime remove the container; it may be gone already, or never have been made. What a runtime that is missing,
/// fails or hangs leaves is swept.
fn ask_runtime(runtime: &dyn Runtime, id: &str, bundle: &Path) {
    let order = Order { id, verb: &Verb::Delete { force: true }, log: bundle.join("runtime-delete.log") };
    let Ok(invocation) = runtime.begin(&order, Inherited::default()) else { return };
    let Child { pid, pidfd } = &invocation.child;
    wait_or_kill(*pid, pidfd);
    invocation.clean();
}

/// Has another's shim remove the container in its own way, which need not be that of an OCI runtime. As with that, what it
/// leaves is swept.
fn ask_shim(program: &Path, args: &Args, bundle: &Path) {
    let mut command = Command::new(program);
    command.args(["-namespace", &args.namespace, "-address", "", "-publish-binary", "", "-id", &args.id]);
    command.arg("-bundle").arg(bundle).arg("delete");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(child) = command.spawn() else { return };
    let pid = Pid::from_child(&child);
    if let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) {
        wait_or_kill(pid, &pidfd);
    }
}

fn wait_or_kill(pid: Pid, pidfd: &OwnedFd) {
    let ended = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&DELETE_PATIENCE));
    if !matches!(ended, Ok(1)) {
        processes::kill_tree(pid);
        let _ = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&KILL_PATIENCE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_is_known_by_its_program_container_and_namespace() {
        let line = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let args = Args::parse(line("-namespace berth -id c1 -bundle /b delete")).expect("parses");
        let matches = |text: &str| is_shim(&text.split(' ').collect::<Vec<_>>(), "/bin/shim", &args);
        assert!(matches("/bin/shim -namespace berth -address  -id c1 start"));
        assert!(!matches("/bin/shim -namespace berth -id c1 -bundle /b delete"));
        assert!(!matches("/bin/shim -namespace k8s.io -id c1 start"));
        assert!(!matches("/bin/shim -namespace berth -id c10 start"));
        assert!(!matches("/bin/other -namespace berth -id c1 start"));
    }
}
