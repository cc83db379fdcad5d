//! Cgroups of either version: where a container's are, how to read their files, and how to end what is in them.

mod counters;
mod dir;
mod freezer;
mod hugetlb;
mod limits;
mod oom_watch;
mod paths;
mod pressure;
#[cfg(test)]
mod testing;

pub use counters::{Amount, Blkio, Counters, Cpu, Io, Memory, Operation, Pids};
pub use dir::Table;
pub use hugetlb::{Hugetlb, hugetlb};
pub use oom_watch::OomWatch;
pub use paths::{CgroupPaths, MOUNT, below_mount, spec_path};
pub use pressure::{Pressure, PressureLine, pressure};
