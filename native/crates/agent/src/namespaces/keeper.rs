//! Namespaces that a user namespace owns.
//!
//! Only a process of one thread can enter a new user namespace, and its ids must be mapped from outside. So the agent
//! starts itself a second time, as a keeper, and talks with it over its stdin and stdout:
//!
//! ```text
//! agent                                keeper
//!   CreateNamespacesRequest, framed ──▶  unshare
//!   ◀── 'u'
//!   write uid_map and gid_map
//!   'm' ──▶                              become root, set up, start pause
//!   ◀── "ok PAUSE_PID" or "error TEXT"
//!   pin /proc/KEEPER/ns/*
//!   'p', close ──▶                       unleash pause, end
//! ```

use std::ffi::CString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;

use prost::Message;
use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use sys::{Child, Spawn};
use ttrpc::{Code, Status};

use super::pause::{Pause, Program};
use super::pins::Kind;
use super::{kinds, setup};
use crate::args::KEEP_NAMESPACES;
use crate::failure;
use crate::proto::{CreateNamespacesRequest, IdMapping};

const UNSHARED: u8 = b'u';
const MAPPED: u8 = b'm';
const PINNED: u8 = b'p';

/// The agent's side.
pub struct Keeper {
    child: Child,
    /// Closed first when dropped, which ends the keeper.
    input: Option<File>,
    output: File,
}

impl Keeper {
    pub fn start(request: &CreateNamespacesRequest) -> Result<Self, Status> {
        let mut keeper = Self::spawn().map_err(failure::on("start", "the namespace keeper"))?;
        let message = request.encode_to_vec();
        let framed = [&(message.len() as u32).to_be_bytes(), message.as_slice()].concat();
        keeper.send(&framed)?;
        Ok(keeper)
    }

    fn spawn() -> rustix::io::Result<Self> {
        let (child_input, input) = pipe_with(PipeFlags::CLOEXEC)?;
        let (output, child_output) = pipe_with(PipeFlags::CLOEXEC)?;
        let stderr: OwnedFd = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        let argv = ["berth-agent", KEEP_NAMESPACES].map(|word| CString::new(word).unwrap_or_default());
        let child = sys::spawn(&Spawn {
            program: c"/proc/self/exe",
            argv: &argv,
            env: &[],
            cwd: Some(c"/"),
            stdio: [child_input.as_fd(), child_output.as_fd(), stderr.as_fd()],
            session: false,
            pid_namespace: false,
            die_with_thread: true,
            oom_score_adj: None,
        })?;
        Ok(Self { child, input: Some(input.into()), output: output.into() })
    }

    /// Maps the ids and lets the keeper set everything up; the pid of the pause process, if one was asked for.
    pub fn set_up(&mut self, request: &CreateNamespacesRequest) -> Result<Option<Pid>, Status> {
        let mut unshared = [0];
        if self.output.read_exact(&mut unshared).is_err() || unshared != [UNSHARED] {
            return Err(self.failure(unshared[0]));
        }
        self.map("uid_map", &request.uid_mappings)?;
        self.map("gid_map", &request.gid_mappings)?;
        self.send(&[MAPPED])?;
        let answer = self.read_line()?;
        let pid = answer.strip_prefix("ok ").and_then(|pid| pid.parse().ok());
        let Some(pid) = pid else {
            return Err(Status::new(Code::Internal, answer.trim_start_matches("error ")));
        };
        Ok(Pid::from_raw(pid))
    }

    /// All is pinned: the pause process may live on without the keeper.
    pub fn let_go(&mut self) -> Result<(), Status> {
        self.send(&[PINNED])
    }

    pub fn namespace(&self, kind: Kind) -> PathBuf {
        format!("/proc/{}/ns/{}", self.child.pid.as_raw_nonzero(), kind.name()).into()
    }

    fn map(&self, file: &str, mappings: &[IdMapping]) -> Result<(), Status> {
        let path = format!("/proc/{}/{file}", self.child.pid.as_raw_nonzero());
        let mut lines = String::new();
        for IdMapping { container_id, host_id, length } in mappings {
            let _ = writeln!(lines, "{container_id} {host_id} {length}");
        }
        // The kernel takes all lines in one write or none.
        std::fs::write(&path, lines).map_err(|error| failure::invalid(format!("the {file} was refused: {error}")))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Status> {
        let sent = self.input.as_mut().map_or(Ok(()), |input| input.write_all(bytes));
        sent.map_err(failure::io("talk to", "the namespace keeper"))
    }

    /// An answer ends with its line; the keeper waits for us then.
    fn read_line(&mut self) -> Result<String, Status> {
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            self.output.read_exact(&mut byte).map_err(failure::io("hear from", "the namespace keeper"))?;
            if byte == *b"\n" {
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            line.push(byte[0]);
        }
    }

    fn failure(&mut self, first: u8) -> Status {
        let rest = self.read_line().unwrap_or_default();
        let answer = format!("{}{rest}", char::from(first));
        Status::new(Code::Internal, answer.trim_start_matches("error ").trim_matches('\0'))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.input = None;
        // It ends at the end of its input.
        let _ = waitid(WaitId::PidFd(self.child.pidfd.as_fd()), WaitIdOptions::EXITED);
    }
}

/// A user namespace that maps something, for trying what such a namespace is needed for.
pub fn user_namespace() -> Result<OwnedFd, Status> {
    let mapping = IdMapping { container_id: 0, host_id: 100_000, length: 1 };
    let request = CreateNamespacesRequest {
        uid_mappings: vec![mapping],
        gid_mappings: vec![mapping],
        ..CreateNamespacesRequest::default()
    };
    let mut keeper = Keeper::start(&request)?;
    keeper.set_up(&request)?;
    let path = keeper.namespace(Kind::User);
    let opened = rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    opened.map_err(failure::on("open", path.display().to_string()))
}

/// The keeper's side: a whole run of the process.
pub fn keep() -> ExitCode {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout());
    let made = make(&mut input, &mut output);
    let answer = match &made {
        Ok(pause) => format!("ok {}\n", pause.as_ref().map_or(0, |pause| pause.pid.as_raw_nonzero().get())),
        Err(status) => format!("error {}\n", status.message.replace('\n', " ")),
    };
    let told = output.write_all(answer.as_bytes()).and_then(|()| output.flush());
    // The namespaces live as long as we do: wait until they are pinned.
    let mut word = Vec::new();
    let waited = input.read_to_end(&mut word);
    let unleashed = match made {
        Ok(Some(pause)) if word == [PINNED] => pause.unleash(),
        _ => Ok(()),
    };
    if told.is_ok() && waited.is_ok() && unleashed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn make(input: &mut impl Read, output: &mut impl Write) -> Result<Option<Pause>, Status> {
    let request = read_request(input).map_err(failure::io("read", "the request"))?;
    let program = request.pid.then(|| Program::open(&request.pause_path)).transpose()?;
    kinds::unshare(&request)?;
    wait_for_mappings(input, output).map_err(failure::io("wait for", "the id mappings"))?;
    become_root().map_err(failure::on("become root of", "the user namespace"))?;
    setup::set_up(&request)?;
    program.map(|program| program.start()).transpose()
}

fn wait_for_mappings(input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    output.write_all(&[UNSHARED])?;
    output.flush()?;
    let mut mapped = [0];
    input.read_exact(&mut mapped)?;
    if mapped == [MAPPED] { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn read_request(input: &mut impl Read) -> io::Result<CreateNamespacesRequest> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    input.read_exact(&mut message)?;
    CreateNamespacesRequest::decode(message.as_slice()).map_err(io::Error::other)
}

/// Files of the namespaces belong to their root, so that only root may write the sysctls.
fn become_root() -> rustix::io::Result<()> {
    set_thread_groups(&[])?;
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)
}
