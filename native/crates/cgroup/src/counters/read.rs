use super::{Counters, v1, v2};
use crate::limits::Limits;
use crate::paths::CgroupPaths;

impl Counters {
    /// Reads the counters of a cgroup, and the limits of its process where it has one.
    #[must_use]
    pub fn read(paths: &CgroupPaths, pid: Option<u32>) -> Self {
        match paths {
            CgroupPaths::V1(dirs) => v1::read(dirs),
            CgroupPaths::V2(dir) => v2::read(dir, &Limits::of(paths, pid)),
        }
    }
}
