//! A runtime process under way and what its end means.

use std::path::PathBuf;
use std::time::Instant;

use crate::runtime::Invocation;
use crate::shim::Reply;

/// What the runtime was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// `create`, answering Create.
    Create,
    /// `start`, answering Start.
    Start,
    /// `run`, answering Start.
    Run,
    /// `exec` of this id, answering Start.
    Exec(String),
    /// `pause`, `resume`, `update`, answering themselves.
    Pause,
    Resume,
    Update,
    /// `checkpoint`, answering itself.
    Checkpoint {
        image: String,
        criu_log: PathBuf,
    },
    /// `delete`, answering Delete.
    Delete,
}

/// One runtime process.
#[derive(Debug)]
pub struct Job {
    pub verb: Verb,
    pub reply: Reply,
    pub invocation: Invocation,
    pub began: Instant,
    /// Where the runtime writes the new process's pid; removed when read.
    pub pid_file: Option<PathBuf>,
    /// Where the runtime delivers the new process's terminal.
    pub console: Option<crate::console::Console>,
}
