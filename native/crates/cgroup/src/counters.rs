//! What the kernel counts for a cgroup, with one meaning for both versions.

mod read;
mod v1;
mod v2;

use crate::dir::{Table, limit};

/// The counters of a cgroup. What the kernel has no file for counts zero, since controllers differ between kernels.
#[derive(Debug, Default)]
pub struct Counters {
    pub cpu: Cpu,
    pub memory: Memory,
    pub pids: Pids,
    /// By device.
    pub io: Vec<Io>,
    /// The lines of version 1 that `io` comes from.
    pub blkio: Blkio,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    pub usage_ns: u64,
    pub user_ns: u64,
    pub system_ns: u64,
    pub periods: u64,
    pub throttled_periods: u64,
    pub throttled_ns: u64,
    /// As version 1 counts them; a weight of version 2 is converted back.
    pub shares: Option<u64>,
    pub quota_us: Option<u64>,
    pub period_us: Option<u64>,
}

/// Memory in bytes.
#[derive(Debug, Default)]
pub struct Memory {
    pub all: Amount,
    /// Version 1: memory and swap together. Version 2: swap alone.
    pub swap: Amount,
    pub kernel: Amount,
    /// The usage without the inactive page cache.
    pub working_set: u64,
    pub rss: u64,
    pub cache: u64,
    pub mapped_file: u64,
    pub page_faults: u64,
    pub major_page_faults: u64,
    /// Without those of the cgroups below, which version 2 does not tell apart: a container's cgroup seldom has any.
    pub own_page_faults: u64,
    pub own_major_page_faults: u64,
    /// Swap alone.
    pub swap_usage: u64,
    pub swap_limit: Option<u64>,
    pub reservation: Option<u64>,
    pub oom_kills: u64,
    /// `memory.stat`, whose keys differ between the versions.
    pub stat: Table,
    /// Version 1: `memory.oom_control`. Version 2: `memory.events`.
    pub events: Table,
}

/// How much there is of something, and how much there was and may be.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub usage: u64,
    pub max_usage: u64,
    /// How often the limit was in the way.
    pub failcnt: u64,
    /// As the kernel writes it, `u64::MAX` for "max".
    pub limit: Option<u64>,
}

impl Amount {
    /// The limit, if one is set.
    #[must_use]
    pub fn bound(&self) -> Option<u64> {
        self.limit.and_then(limit)
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pids {
    /// Threads, as the limit counts them.
    pub current: u64,
    /// As the kernel writes it, `u64::MAX` for "max".
    pub limit: Option<u64>,
}

impl Pids {
    /// The limit, if one is set.
    #[must_use]
    pub fn bound(&self) -> Option<u64> {
        self.limit.and_then(limit)
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Io {
    pub major: u64,
    pub minor: u64,
    pub read_bytes: u64,
    pub write_bytes: u64,
    pub reads: u64,
    pub writes: u64,
}

#[derive(Debug, Default)]
pub struct Blkio {
    pub bytes: Vec<Operation>,
    pub operations: Vec<Operation>,
}

/// One line of version 1's block device controller, such as `8:0 Read 4096`.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    pub major: u64,
    pub minor: u64,
    pub name: String,
    pub value: u64,
}
