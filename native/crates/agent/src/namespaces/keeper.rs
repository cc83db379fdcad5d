//! Namespaces that a user namespace owns.
//!
//! Only a process of one thread can enter a new user namespace, and its ids must be mapped from outside. So the agent
//! starts itself a second time, as a keeper, and talks with it over its stdin and stdout:
//!
//! ```text
//! agent                                keeper
//!   CreateNamespacesRequest, framed ──▶  unshare
//!   ◀── Said::Unshared
//!   write uid_map and gid_map
//!   Told::Mapped ──▶                     become root, set up, start pause
//!   ◀── Said::SetUp or Said::Failed
//!   pin /proc/KEEPER/ns/*
//!   Told::Pinned, close ──▶              unleash pause, end
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
use super::talk::{Said, Told, hear, say};
use super::{kinds, setup};
use crate::args::KEEP_NAMESPACES;
use crate::failure;
use crate::proto::{CreateNamespacesRequest, IdMapping};

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
        let sent = keeper.input.as_mut().map_or(Ok(()), |input| input.write_all(&framed));
        sent.map_err(failure::io("talk to", "the namespace keeper"))?;
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
        if self.hear()? != Said::Unshared {
            return Err(Status::new(Code::Internal, "the namespace keeper was set up before its ids were mapped"));
        }
        self.map("uid_map", &request.uid_mappings)?;
        self.map("gid_map", &request.gid_mappings)?;
        self.tell(Told::Mapped)?;
        match self.hear()? {
            Said::SetUp { pause } => Ok(Pid::from_raw(pause)),
            other => Err(Status::new(Code::Internal, format!("the namespace keeper says {other:?}"))),
        }
    }

    /// All is pinned: the pause process may live on without the keeper.
    pub fn let_go(&mut self) -> Result<(), Status> {
        self.tell(Told::Pinned)
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

    fn tell(&mut self, what: Told) -> Result<(), Status> {
        let told = self.input.as_mut().map_or(Ok(()), |input| say(input, &what));
        told.map_err(failure::io("talk to", "the namespace keeper"))
    }

    /// The keeper's next word, or what it failed with.
    fn hear(&mut self) -> Result<Said, Status> {
        match hear(&mut self.output).map_err(failure::io("hear from", "the namespace keeper"))? {
            Said::Failed(why) => Err(Status::new(Code::Internal, why)),
            said => Ok(said),
        }
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
        Ok(pause) => Said::SetUp { pause: pause.as_ref().map_or(0, |pause| pause.pid.as_raw_nonzero().get()) },
        Err(status) => Said::Failed(status.message.clone()),
    };
    let told = say(&mut output, &answer);
    // The namespaces live as long as we do: wait until they are pinned, or the agent does without them.
    let word = hear(&mut input);
    let unleashed = match made {
        Ok(Some(pause)) if matches!(word, Ok(Told::Pinned)) => pause.unleash(),
        _ => Ok(()),
    };
    if told.is_ok() && unleashed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
    say(output, &Said::Unshared)?;
    if hear::<Told>(input)? == Told::Mapped { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
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
