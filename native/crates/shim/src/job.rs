//! A runtime process under way and what its end means.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ttrpc::Status;

use crate::console::Console;
use crate::runtime::{Inherited, Invocation};
use crate::shim::{Reply, Shim};

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

/// A deletion can do without the runtime, see [`crate::runtime::Runtime::sweep`]: it is not given the caller's whole patience.
const DELETE_PATIENCE: Duration = Duration::from_secs(10);

/// One runtime process.
#[derive(Debug)]
pub struct Job {
    pub verb: Verb,
    pub reply: Reply,
    pub invocation: Invocation,
    pub began: Instant,
    /// When it is killed; none where the client waits for ever.
    pub deadline: Option<Instant>,
    /// It was killed at the deadline.
    pub cut: bool,
    /// The deadline came nearer when a client asked to kill what is being made.
    pub hurried: bool,
    /// Known at its end: it failed by itself, and so has removed what it made. One that was killed or crashed has not.
    pub undone: bool,
    /// Where the runtime writes the new process's pid; removed when read.
    pub pid_file: Option<PathBuf>,
    /// Where the runtime delivers the new process's terminal.
    pub console: Option<Console>,
}

/// What a runtime is called with.
#[derive(Debug, Default)]
pub struct Order {
    /// The verb first, the container's id last.
    pub args: Vec<OsString>,
    pub inherited: Inherited,
    pub pid_file: Option<PathBuf>,
    pub console: Option<Console>,
}

impl Order {
    /// An order of these words.
    pub fn of<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> Self {
        Self { args: words.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// Starts a runtime process, whose end answers the call.
///
/// # Errors
/// [`ttrpc::Code::NotFound`] without a container, and that of starting the runtime.
pub fn begin(shim: &mut Shim, verb: Verb, reply: Reply, order: Order) -> Result<(), Status> {
    let serial = shim.next_serial();
    let container = shim.held()?;
    let log = container.bundle.join(format!("runtime-{serial}.log"));
    let invocation = Invocation::start(&container.options.runtime, log, &order.args, order.inherited)?;
    let began = Instant::now();
    let patience = (verb == Verb::Delete).then(|| began + DELETE_PATIENCE);
    let deadline = [reply.deadline, patience].into_iter().flatten().min();
    let (pid_file, console) = (order.pid_file, order.console);
    let job =
        Job { verb, reply, invocation, began, deadline, cut: false, hurried: false, undone: false, pid_file, console };
    shim.jobs.insert(job.invocation.pid(), job);
    Ok(())
}
