//! Telling containerd what happened. berthd holds a Wait call instead and sets no address.

use std::path::PathBuf;
use std::time::Duration;

use prost::Message;

use crate::clock;
use crate::proto::{forward, types};

/// Sends events to TTRPC_ADDRESS, if there is one.
#[derive(Debug)]
pub struct Publisher {
    address: Option<PathBuf>,
    namespace: String,
}

const TIMEOUT: Duration = Duration::from_secs(1);

impl Publisher {
    /// An empty address publishes nothing.
    #[must_use]
    pub fn new(address: &str, namespace: &str) -> Self {
        let address = (!address.is_empty()).then(|| PathBuf::from(address.trim_start_matches("unix://")));
        Self { address, namespace: namespace.to_owned() }
    }

    /// containerd's namespace of the container.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Sends one event. A listener that is away misses it; it asks for the state when it is back.
    pub fn publish<E: Message + Named>(&self, topic: &str, event: &E) {
        let Some(address) = &self.address else { return };
        let envelope = types::Envelope {
            timestamp: Some(clock::now()),
            namespace: self.namespace.clone(),
            topic: topic.to_owned(),
            event: Some(prost_types::Any { type_url: E::TYPE.to_owned(), value: event.encode_to_vec() }),
        };
        let request = forward::ForwardRequest { envelope: Some(envelope) };
        if let Ok(mut client) = ttrpc::Client::connect(address) {
            let _ =
                client.call::<_, ()>("containerd.services.events.ttrpc.v1.Events", "Forward", &request, Some(TIMEOUT));
        }
    }
}

/// A message and its full name.
pub trait Named {
    const TYPE: &'static str;
}

macro_rules! named {
    ($($event:ident = $name:literal),* $(,)?) => {
        $(impl Named for crate::proto::events::$event {
            const TYPE: &'static str = concat!("containerd.events.", $name);
        })*
    };
}

named!(
    TaskCreate = "TaskCreate",
    TaskStart = "TaskStart",
    TaskExit = "TaskExit",
    TaskDelete = "TaskDelete",
    TaskOom = "TaskOOM",
    TaskExecAdded = "TaskExecAdded",
    TaskExecStarted = "TaskExecStarted",
    TaskPaused = "TaskPaused",
    TaskResumed = "TaskResumed",
    TaskCheckpointed = "TaskCheckpointed",
);
