//! What the shim asks of an OCI runtime, and how.

mod cli;
mod invocation;
mod mark;

use std::path::PathBuf;

use ttrpc::Status;

use crate::console::Console;
use crate::proto::runc::CheckpointOptions;

pub use cli::Cli;
pub use invocation::{Inherited, Invocation, ended};
pub use mark::works_on;

/// What makes and ends containers for the shim.
///
/// It works in a process of its own, for whose end the loop waits: nothing is done when `begin` returns. A runtime that does
/// without a process for some verbs has an answer of another kind to add here, and the loop an event.
pub trait Runtime {
    /// Begins an order, of which the end of the returned process tells what became.
    ///
    /// # Errors
    /// [`ttrpc::Code::Internal`] with the runtime's name.
    fn begin(&self, order: &Order<'_>, streams: Inherited) -> Result<Invocation, Status>;

    /// Removes what the runtime has written down of a container: what one that was cut off wrote does not count as a container
    /// to its `delete`.
    fn forget(&self, id: &str);
}

/// One thing that is asked of a runtime.
#[derive(Debug)]
pub struct Order<'a> {
    /// The container's id.
    pub id: &'a str,
    pub verb: &'a Verb,
    /// A path for the runtime's own messages, not yet in use.
    pub log: PathBuf,
}

/// What is asked, with what it is asked for.
#[derive(Debug)]
pub enum Verb {
    /// Makes the container, whose main process waits for `Start`.
    Create {
        bundle: PathBuf,
        making: Making,
    },
    /// Starts the main process.
    Start,
    /// Makes the container and starts the main process, or has it go on from a checkpoint.
    Run {
        bundle: PathBuf,
        restore: Option<Restore>,
        making: Making,
    },
    /// Starts the process of an OCI process file as another process of the container.
    Exec {
        id: String,
        spec: PathBuf,
        making: Making,
    },
    Pause,
    Resume,
    /// Changes limits, by the OCI spec's LinuxResources as JSON.
    Update(Vec<u8>),
    /// Writes the processes to `image`, with CRIU's log in `work`.
    Checkpoint {
        image: String,
        work: PathBuf,
        options: CheckpointOptions,
    },
    /// Removes the container; by force also with a process that waits for its start.
    Delete {
        force: bool,
    },
}

/// How a new process is handed over.
#[derive(Debug)]
pub struct Making {
    /// Where the runtime writes its pid.
    pub pid_file: PathBuf,
    /// Where the runtime delivers its terminal, if it gets one. Otherwise it gets the streams that the runtime begins with.
    pub console: Option<Console>,
}

/// The checkpoint that a container goes on from, and where CRIU writes its log.
#[derive(Debug)]
pub struct Restore {
    pub image: PathBuf,
    pub work: PathBuf,
}

impl Verb {
    /// Whether this makes or starts this process, the main one for an empty id.
    #[must_use]
    pub fn makes(&self, exec_id: &str) -> bool {
        match self {
            Self::Create { .. } | Self::Start | Self::Run { .. } => exec_id.is_empty(),
            Self::Exec { id, .. } => id == exec_id,
            _ => false,
        }
    }

    /// The process that is made, by its exec id, and how it is handed over.
    #[must_use]
    pub fn making(&self) -> Option<(&str, &Making)> {
        match self {
            Self::Create { making, .. } | Self::Run { making, .. } => Some(("", making)),
            Self::Exec { id, making, .. } => Some((id, making)),
            _ => None,
        }
    }
}
