//! The generated messages, under the names that the code uses.

#[allow(clippy::all, dead_code, missing_docs)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
}

pub use generated::berth::shim::v1 as berth;
pub use generated::containerd::events;
pub use generated::containerd::runc::v1 as runc;
pub use generated::containerd::services::events::ttrpc::v1 as forward;
/// Version 2 of the Task service has the same messages.
pub use generated::containerd::task::v3 as task;
pub use generated::containerd::types;
pub use generated::containerd::v1::types as state;
pub use generated::io::containerd::cgroups;
