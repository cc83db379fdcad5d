//! The process that is pid 1 of a shared PID namespace.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};
use sys::Spawn;
use ttrpc::{Code, Status};

use crate::failure;

/// What it says when all that it had of the host is given up.
const READY: &[u8] = b"ready\n";

/// It has a few system calls to make.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause program, found before any namespace is entered: inside a user namespace its path may be out of reach.
/// Containers that may trace get at the file by `/proc/1/exe`, may hand it on, and keep it when nobody runs it any more.
pub struct Program {
    file: OwnedFd,
    path: String,
}

impl Program {
    pub fn open(path: &str) -> Result<Self, Status> {
        failure::absolute("pause_path", path)?;
        let real = std::fs::canonicalize(path).map_err(failure::io("open", path))?;
        Ok(Self {
            file: sys::open_unchangeable(&real, OFlags::PATH).map_err(failure::on("open", path))?,
            path: path.to_owned(),
        })
    }

    /// Starts it in the calling thread's namespaces and a new PID namespace; returns when containers may see it.
    pub fn start(&self) -> Result<Pause, Status> {
        let pause = self.spawn().map_err(failure::on("start", &self.path))?;
        let answer = pause.answer().map_err(failure::io("hear from", "the pause process"))?;
        if answer != READY {
            let text = String::from_utf8_lossy(&answer);
            return Err(Status::new(Code::Internal, format!("the pause process did not come up: {}", text.trim_end())));
        }
        Ok(pause)
    }

    fn spawn(&self) -> rustix::io::Result<Pause> {
        let (stdin, leash) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // Its name in process lists; the link behind it would say nothing.
        let argv = [CString::from(c"berth-pause")];
        let program = CString::new(format!("/proc/self/fd/{}", self.file.as_raw_fd())).unwrap_or_default();
        let child = sys::spawn(&Spawn {
            program: &program,
            argv: &argv,
            env: &[],
            cwd: Some(c"/"),
            // Nothing else: even the mode of the node's /dev/null could be changed by who finds it in /proc/1/fd.
            stdio: [stdin.as_fd(); 3],
            session: true,
            pid_namespace: true,
            die_with_thread: false,
            oom_score_adj: None,
        })?;
        Ok(Pause { pid: child.pid, leash: leash.into() })
    }
}

/// A pause process on a leash: it ends when this is dropped, also by our own death. So none is left that nobody knows of.
pub struct Pause {
    pub pid: Pid,
    leash: File,
}

impl Pause {
    /// One line; a part of one from a process that died over it.
    fn answer(&self) -> io::Result<Vec<u8>> {
        set_socket_timeout(&self.leash, Timeout::Recv, Some(PATIENCE))?;
        let mut line = Vec::new();
        io::BufReader::new(&self.leash).read_until(b'\n', &mut line).map(|_| line)
    }

    /// Lets it live until it is killed; it is pinned by now.
    pub fn unleash(mut self) -> Result<(), Status> {
        self.leash.write_all(b"\n").map_err(failure::io("talk to", "the pause process"))
    }
}

/// Accounts the process to each of these control groups.
pub fn account(pid: Pid, cgroups: &[String]) -> Result<(), Status> {
    for cgroup in cgroups {
        failure::absolute("a pause cgroup", cgroup)?;
        let file = format!("{cgroup}/cgroup.procs");
        let line = pid.as_raw_nonzero().to_string();
        std::fs::write(&file, line).map_err(failure::io("move the pause process into", &file))?;
    }
    Ok(())
}

/// Kills the process if it lives in the PID namespace of this inode, and waits for its end. The handle is taken before
/// the check, so that a number used anew is never hit.
pub fn kill(pid: Pid, namespace: u64) {
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    if namespace_of(pid) != Some(namespace) {
        return;
    }
    if pidfd_send_signal(&pidfd, Signal::KILL).is_ok() {
        wait(&pidfd);
    }
}

/// Kills what lives in a control group that is a pod's own, and waits for its end.
pub fn empty(cgroup: &str) {
    let file = format!("{cgroup}/cgroup.procs");
    let living = || std::fs::read_to_string(&file).unwrap_or_default();
    for line in living().lines() {
        let Some(pid) = line.parse().ok().and_then(Pid::from_raw) else { continue };
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        // The number may have been used anew before the handle was taken.
        if living().lines().any(|other| other == line) && pidfd_send_signal(&pidfd, Signal::KILL).is_ok() {
            wait(&pidfd);
        }
    }
}

/// The pid namespace's first process, found by looking through all. For when its number was lost.
pub fn find(namespace: u64) -> Option<Pid> {
    let own = namespace_of(rustix::process::getpid())?;
    let processes = std::fs::read_dir("/proc").ok()?;
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut pids = pids.filter_map(Pid::from_raw);
    pids.find(|&pid| namespace != own && namespace_of(pid) == Some(namespace))
}

fn namespace_of(pid: Pid) -> Option<u64> {
    let path = PathBuf::from(format!("/proc/{}/ns/pid", pid.as_raw_nonzero()));
    rustix::fs::stat(&path).ok().map(|stat| stat.st_ino)
}

/// Waits for the end, at most two seconds: a process in an uninterruptible sleep must not hold the caller.
fn wait(pidfd: &OwnedFd) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let patience = Timespec { tv_sec: 2, tv_nsec: 0 };
    let _ = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&patience));
    // A child of ours would stay a zombie; one of an agent before us is init's.
    let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
}
