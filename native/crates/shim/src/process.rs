//! The container's main process and its execs.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Instant;

use crate::exit::Exit;
use crate::proto::state::Status;
use crate::stdio::StdioPaths;

/// A process of the container.
///
/// ```text
/// created ──start──▶ running ──reaped──▶ draining ──output at its end──▶ stopped
///                       ▲  │
///                 resume└──▼pause
///                        paused
/// ```
///
/// `draining` still answers as running: nobody hears of an exit before the output is where it belongs.
#[derive(Debug, Default)]
pub struct Process {
    /// Empty for the main process.
    pub exec_id: String,
    /// 0 until the runtime has made it.
    pub pid: u32,
    pub stdio: StdioPaths,
    /// OCI process file of an exec.
    pub spec: PathBuf,
    /// What an exec asks for; none where it is left to the runtime.
    pub oom_score_adj: Option<i64>,
    pub started_at: Option<prost_types::Timestamp>,
    /// Set when it was reaped; see `announced`.
    pub exit: Option<Exit>,
    /// The exit has been told.
    pub announced: bool,
    /// When the wait for the rest of the output ends.
    pub drain_until: Option<Instant>,
    pub terminal: Option<OwnedFd>,
    pub paused: bool,
    /// An exec that nobody will ask for any more: it ends and is deleted as soon as that is possible.
    pub abandoned: bool,
}

impl Process {
    /// The state as the Task service tells it.
    #[must_use]
    pub const fn status(&self) -> Status {
        match (self.announced, self.started_at.is_some(), self.paused) {
            (true, ..) => Status::Stopped,
            (_, false, _) => Status::Created,
            (_, true, true) => Status::Paused,
            (_, true, false) => Status::Running,
        }
    }
}
