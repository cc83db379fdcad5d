//! Cgroups of either version: where a container's are, how to read their files, and how to end what is in them.

mod dir;
mod freezer;
mod limits;
mod oom_watch;
mod paths;

pub use dir::{Dir, Table, limit};
pub use limits::Limits;
pub use oom_watch::OomWatch;
pub use paths::{CgroupPaths, MOUNT, below_mount, spec_path};
