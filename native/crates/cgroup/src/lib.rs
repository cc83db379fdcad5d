//! Cgroups of either version: where a container's are, and how to read their files.

mod dir;
mod paths;

pub use dir::{Dir, Table};
pub use paths::{CgroupPaths, MOUNT, below_mount, spec_path};
