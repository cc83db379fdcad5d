//! berth-agent does for berthd what needs privileges or forks: it runs programs, makes namespaces and mounts, unpacks
//! layers. It serves `berth.agent.v1.Agent` on an inherited socket and ends with it.

mod archives;
mod args;
mod cgroups;
mod exec;
mod failure;
mod fifos;
mod forward;
mod host_paths;
mod info;
mod lanes;
mod layers;
mod leftovers;
mod log;
mod mounts;
mod namespaces;
mod proto;
mod readings;
mod service;
mod snapshot;
mod thread;

use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::fs::Mode;
use serde_json::json;

use args::Args;
use service::Service;

fn main() -> ExitCode {
    match args::parse(std::env::args_os().skip(1)) {
        Ok(Args::Version) => {
            println!("berth-agent {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Args::KeepNamespaces) => namespaces::keep(),
        Ok(Args::Serve { fd, root }) => serve(fd, root),
        Err(usage) => {
            log::error("usage", &json!({ "error": usage }));
            ExitCode::from(2)
        }
    }
}

fn serve(fd: i32, root: std::path::PathBuf) -> ExitCode {
    let socket = match sys::take_inherited_fd(fd) {
        Ok(socket) => UnixStream::from(socket),
        Err(errno) => {
            log::error("no socket to serve on", &json!({ "fd": fd, "error": errno.to_string() }));
            return ExitCode::from(2);
        }
    };
    // Node.js raises its own limit, and only what started it knows from where.
    sys::raise_soft_nofile(std::env::var("BERTH_SOFT_NOFILE").ok().and_then(|limit| limit.parse().ok()));
    // Modes given to mkdir and open are meant as they are, apart from what others may write.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    leftovers::settle(&root);
    match ttrpc::serve(socket, &Arc::new(Service::new(root))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error("the daemon's connection broke", &json!({ "error": error.to_string() }));
            ExitCode::FAILURE
        }
    }
}
