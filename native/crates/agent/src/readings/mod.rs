//! What the kernel counts for cgroups and filesystems, as messages.

mod device;
mod encode;
mod filesystem;
mod processes;

use std::time::{SystemTime, UNIX_EPOCH};

use cgroup::{CgroupPaths, Counters};

use crate::proto::{CgroupPids, CgroupQuery, CgroupReading, ReadCgroupsRequest, ReadCgroupsResponse};

pub use filesystem::filesystem;

/// Reads every asked cgroup, one after the other: it is the kernel that works here, and others want to run too.
pub fn cgroups(request: &ReadCgroupsRequest) -> ReadCgroupsResponse {
    let read = |query: &CgroupQuery| cgroup(query, request.processes).unwrap_or_default();
    ReadCgroupsResponse { readings: request.cgroups.iter().map(read).collect() }
}

/// `None` when there is no such cgroup, which includes one that went away.
fn cgroup(query: &CgroupQuery, with_processes: bool) -> Option<CgroupReading> {
    let path = cgroup::below_mount(&query.cgroups_path)?;
    let paths = CgroupPaths::at(&query.cgroups_path)?;
    let counters = Counters::read(&paths, u32::try_from(query.pid).ok().filter(|pid| *pid > 0));
    let pids = paths.pids();
    Some(CgroupReading {
        found: true,
        path: format!("/{}", path.display()),
        timestamp_ns: now_ns(),
        cpu: Some(encode::cpu(&counters.cpu)),
        memory: Some(encode::memory(&counters.memory)),
        pids: Some(CgroupPids {
            current: counters.pids.current,
            limit: counters.pids.bound().unwrap_or(0),
            processes: pids.len() as u64,
        }),
        io: counters.io.into_iter().map(encode::io).collect(),
        hugetlb: cgroup::hugetlb(&paths).into_iter().map(encode::hugetlb).collect(),
        pressure: encode::pressure(|resource| cgroup::pressure(&paths, resource)),
        processes: with_processes.then(|| processes::read(&pids, query.pid)),
    })
}

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
