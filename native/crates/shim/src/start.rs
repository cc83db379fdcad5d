//! `start`: leaves the shim behind and says where it listens.

use std::io::{self, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::process::{Pid, set_child_subreaper, setsid};
use sys::{Forked, fork_single_threaded};

use crate::args::Args;
use crate::events::Publisher;
use crate::shim::Shim;
use crate::socket;
use crate::task;

/// Opens the socket, forks, and prints the address; the child serves.
///
/// # Errors
/// Those of bind(2), fork(2) and the event loop.
pub fn start(args: &Args) -> io::Result<()> {
    let bundle = std::env::current_dir()?;
    let path = socket::short_path(&bundle, socket::NAME);
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    match fork_single_threaded()? {
        Forked::Parent(pid) => tell(&bundle, &path, pid),
        Forked::Child => serve(args, &path, listener),
    }
}

fn tell(bundle: &Path, path: &Path, pid: i32) -> io::Result<()> {
    std::fs::write(bundle.join("shim.pid"), pid.to_string())?;
    let address = format!("unix://{}", path.display());
    // Version 3 of the service is served too, but saying so would promise containerd to keep a whole pod.
    let answer = serde_json::json!({ "version": 2, "address": address, "protocol": "ttrpc" });
    io::stdout().write_all(answer.to_string().as_bytes())
}

fn serve(args: &Args, path: &Path, listener: UnixListener) -> io::Result<()> {
    detach()?;
    sys::raise_soft_nofile(None);
    set_child_subreaper(Some(Pid::INIT))?;
    let address = std::env::var("TTRPC_ADDRESS").unwrap_or_default();
    let mut shim = Shim::new(args.id.clone(), listener, Publisher::new(&address, &args.namespace))?;
    let result = task::serve(&mut shim);
    let _ = std::fs::remove_file(path);
    result
}

/// Leaves the starter's session and the streams that it gave us, for whose end it waits.
///
/// # Errors
/// Those of setsid(2) and of opening /dev/null.
pub fn detach() -> io::Result<()> {
    setsid()?;
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}
