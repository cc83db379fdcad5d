//! A runtime process under way.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use processes::kill_tree;
use ttrpc::{Code, Status};

use crate::clients::Reply;
use crate::runtime::{Invocation, Verb};

/// A deletion can do without the runtime, see [`crate::container::Container::sweep`]: it is not given the caller's whole patience.
const DELETE_PATIENCE: Duration = Duration::from_secs(10);

/// One runtime process.
#[derive(Debug)]
pub struct Job {
    pub verb: Verb,
    pub reply: Reply,
    pub invocation: Invocation,
    pub began: Instant,
    /// When it is killed; none where the client waits for ever.
    deadline: Option<Instant>,
    /// It was killed at the deadline.
    cut: bool,
    /// The deadline came nearer when a client asked to kill what is being made.
    hurried: bool,
}

impl Job {
    /// A process that was just started.
    #[must_use]
    pub fn new(verb: Verb, reply: Reply, invocation: Invocation) -> Self {
        let began = Instant::now();
        let patience = matches!(verb, Verb::Delete { .. }).then(|| began + DELETE_PATIENCE);
        let deadline = [reply.deadline, patience].into_iter().flatten().min();
        Self { verb, reply, invocation, began, deadline, cut: false, hurried: false }
    }

    /// When it is to be killed, unless it was.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.deadline.filter(|_| !self.cut)
    }

    /// Has it end soon.
    pub fn hurry(&mut self, by: Instant) {
        if self.deadline.is_none_or(|deadline| deadline > by) {
            self.deadline = Some(by);
            self.hurried = true;
        }
    }

    /// Kills it. Its end comes as that of others.
    pub fn cut(&mut self) {
        self.cut = true;
        kill_tree(self.invocation.child.pid);
    }

    /// Whether it failed by itself, and so has removed what it made. One that was killed or crashed has not.
    #[must_use]
    pub fn undid(&self, status: ExitStatus) -> bool {
        !self.cut && status.code().is_some_and(|code| code != 0)
    }

    /// What its call is answered with when it failed and said this.
    #[must_use]
    pub fn failure(&self, said: &str) -> Status {
        if !self.cut {
            return Status::new(Code::Unknown, said);
        }
        if self.hurried {
            return Status::new(Code::Aborted, format!("{said}; it was killed at a client's wish"));
        }
        let seconds = self.began.elapsed().as_secs_f32();
        Status::new(Code::DeadlineExceeded, format!("{said}; it was killed after {seconds:.1} s"))
    }
}
