//! What a shim consists of.

use std::io;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use crate::clients::Clients;
use crate::event_loop::EventLoop;
use crate::events::Publisher;
use crate::held::Held;
use crate::jobs::Jobs;
use crate::outputs::Outputs;

/// How long after Shutdown clients may still take what the container wrote before its end.
const REST_PATIENCE: Duration = Duration::from_secs(30);

/// The shim. A verb takes the parts that it works on.
#[derive(Debug)]
pub struct Shim {
    pub held: Held,
    pub jobs: Jobs,
    pub outputs: Outputs,
    pub clients: Clients,
    pub publisher: Publisher,
    pub events: EventLoop,
    /// Set by Shutdown: when the shim ends at the latest.
    stopping: Option<Instant>,
    /// A signal asked for the shim's end.
    pub asked_to_end: bool,
}

impl Shim {
    /// A shim for this container that serves `listener`.
    ///
    /// # Errors
    /// Those of epoll and signalfd.
    pub fn new(id: String, listener: UnixListener, publisher: Publisher) -> io::Result<Self> {
        let events = EventLoop::new(listener)?;
        let reactor = events.reactor();
        Ok(Self {
            held: Held::new(id),
            jobs: Jobs::default(),
            outputs: Outputs::new(reactor.clone()),
            clients: Clients::new(reactor),
            publisher,
            events,
            stopping: None,
            asked_to_end: false,
        })
    }

    /// Ends the shim as soon as it owes nothing to anybody.
    pub fn stop(&mut self) {
        self.stopping.get_or_insert_with(|| Instant::now() + REST_PATIENCE);
    }

    /// Whether it was stopped and owes nothing any more, or for too long.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stopping.is_some_and(|latest| !self.outputs.have_rest() || Instant::now() >= latest)
    }
}
