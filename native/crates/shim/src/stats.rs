//! Stats: the container's cgroup as containerd's messages for version 1 and 2.

use std::path::Path;

use cgroup::{CgroupPaths, Dir, Limits};
use prost::Message;

use crate::proto::cgroups::{v1, v2};

const V1: &str = "io.containerd.cgroups.v1.Metrics";
const V2: &str = "io.containerd.cgroups.v2.Metrics";

/// Reads the counters of a container's cgroup, and the limits of its main process. A file that is absent counts zero, since
/// controllers differ between kernels.
#[must_use]
pub fn read(cgroup: &CgroupPaths, pid: u32) -> prost_types::Any {
    match cgroup {
        CgroupPaths::V1(_) => any(V1, &read_v1(cgroup)),
        CgroupPaths::V2(path) => any(V2, &read_v2(path, &Limits::of(cgroup, Some(pid)))),
    }
}

fn any(name: &str, message: &impl Message) -> prost_types::Any {
    prost_types::Any { type_url: name.to_owned(), value: message.encode_to_vec() }
}

/// USER_HZ, which the kernel fixes at 100 for user space.
const NANOS_PER_TICK: u64 = 10_000_000;

fn read_v1(cgroup: &CgroupPaths) -> v1::Metrics {
    let CgroupPaths::V1(paths) = cgroup else { return v1::Metrics::default() };
    let dir = |controller: &str| Dir(paths.get(controller).cloned());
    let pids = dir("pids");
    let limit = pids.number("pids.max");
    v1::Metrics {
        cpu: Some(cpu_v1(&dir("cpuacct"), &dir("cpu"))),
        memory: Some(memory_v1(&dir("memory"))),
        memory_oom_control: Some(oom_v1(&dir("memory"))),
        // 0 stands for no limit.
        pids: Some(v1::PidsStat {
            current: pids.number("pids.current"),
            limit: if limit == u64::MAX { 0 } else { limit },
        }),
        blkio: Some(blkio_v1(&dir("blkio"))),
        ..v1::Metrics::default()
    }
}

fn cpu_v1(cpuacct: &Dir, cpu: &Dir) -> v1::CpuStat {
    let split = cpuacct.table("cpuacct.stat");
    let throttling = cpu.table("cpu.stat");
    v1::CpuStat {
        usage: Some(v1::CpuUsage {
            total: cpuacct.number("cpuacct.usage"),
            kernel: split.get("system") * NANOS_PER_TICK,
            user: split.get("user") * NANOS_PER_TICK,
            per_cpu: Vec::new(),
        }),
        throttling: Some(v1::Throttle {
            periods: throttling.get("nr_periods"),
            throttled_periods: throttling.get("nr_throttled"),
            throttled_time: throttling.get("throttled_time"),
        }),
    }
}

fn memory_v1(memory: &Dir) -> v1::MemoryStat {
    let stat = memory.table("memory.stat");
    let entry = |prefix: &str| v1::MemoryEntry {
        usage: memory.number(&format!("{prefix}.usage_in_bytes")),
        max: memory.number(&format!("{prefix}.max_usage_in_bytes")),
        limit: memory.number(&format!("{prefix}.limit_in_bytes")),
        failcnt: memory.number(&format!("{prefix}.failcnt")),
    };
    v1::MemoryStat {
        cache: stat.get("cache"),
        rss: stat.get("rss"),
        rss_huge: stat.get("rss_huge"),
        mapped_file: stat.get("mapped_file"),
        pg_fault: stat.get("pgfault"),
        pg_maj_fault: stat.get("pgmajfault"),
        inactive_file: stat.get("inactive_file"),
        active_file: stat.get("active_file"),
        inactive_anon: stat.get("inactive_anon"),
        active_anon: stat.get("active_anon"),
        total_cache: stat.get("total_cache"),
        total_rss: stat.get("total_rss"),
        total_mapped_file: stat.get("total_mapped_file"),
        total_pg_fault: stat.get("total_pgfault"),
        total_pg_maj_fault: stat.get("total_pgmajfault"),
        total_inactive_file: stat.get("total_inactive_file"),
        total_active_file: stat.get("total_active_file"),
        hierarchical_memory_limit: stat.get("hierarchical_memory_limit"),
        usage: Some(entry("memory")),
        swap: Some(entry("memory.memsw")),
        kernel: Some(entry("memory.kmem")),
        ..v1::MemoryStat::default()
    }
}

fn oom_v1(memory: &Dir) -> v1::MemoryOomControl {
    let table = memory.table("memory.oom_control");
    v1::MemoryOomControl {
        oom_kill_disable: table.get("oom_kill_disable"),
        under_oom: table.get("under_oom"),
        oom_kill: table.get("oom_kill"),
    }
}

fn blkio_v1(blkio: &Dir) -> v1::BlkIoStat {
    let entries = |file: &str| blkio.text(file).lines().filter_map(blkio_line).collect();
    v1::BlkIoStat {
        io_service_bytes_recursive: entries("blkio.throttle.io_service_bytes_recursive"),
        io_serviced_recursive: entries("blkio.throttle.io_serviced_recursive"),
        ..v1::BlkIoStat::default()
    }
}

/// `8:0 Read 4096`; the closing `Total …` is no such line.
fn blkio_line(line: &str) -> Option<v1::BlkIoEntry> {
    let mut words = line.split_whitespace();
    let (major, minor) = words.next()?.split_once(':')?;
    Some(v1::BlkIoEntry {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
        op: words.next()?.to_owned(),
        value: words.next()?.parse().ok()?,
        device: String::new(),
    })
}

fn read_v2(path: &Path, limits: &Limits) -> v2::Metrics {
    let dir = Dir(Some(path.to_owned()));
    let cpu = dir.table("cpu.stat");
    v2::Metrics {
        pids: Some(v2::PidsStat { current: dir.number("pids.current"), limit: limits.least("pids.max").unwrap_or(0) }),
        cpu: Some(v2::CpuStat {
            usage_usec: cpu.get("usage_usec"),
            user_usec: cpu.get("user_usec"),
            system_usec: cpu.get("system_usec"),
            nr_periods: cpu.get("nr_periods"),
            nr_throttled: cpu.get("nr_throttled"),
            throttled_usec: cpu.get("throttled_usec"),
            ..v2::CpuStat::default()
        }),
        memory: Some(memory_v2(&dir, limits)),
        memory_events: Some(events_v2(&dir)),
        io: Some(v2::IoStat {
            usage: dir.text("io.stat").lines().filter_map(io_line).collect(),
            ..v2::IoStat::default()
        }),
        ..v2::Metrics::default()
    }
}

fn memory_v2(dir: &Dir, limits: &Limits) -> v2::MemoryStat {
    let stat = dir.table("memory.stat");
    v2::MemoryStat {
        anon: stat.get("anon"),
        file: stat.get("file"),
        file_mapped: stat.get("file_mapped"),
        pgfault: stat.get("pgfault"),
        pgmajfault: stat.get("pgmajfault"),
        inactive_file: stat.get("inactive_file"),
        active_file: stat.get("active_file"),
        inactive_anon: stat.get("inactive_anon"),
        active_anon: stat.get("active_anon"),
        kernel_stack: stat.get("kernel_stack"),
        slab: stat.get("slab"),
        usage: dir.number("memory.current"),
        usage_limit: limits.least("memory.max").unwrap_or(0),
        max_usage: dir.number("memory.peak"),
        swap_usage: dir.number("memory.swap.current"),
        swap_limit: limits.least("memory.swap.max").unwrap_or(0),
        ..v2::MemoryStat::default()
    }
}

fn events_v2(dir: &Dir) -> v2::MemoryEvents {
    let events = dir.table("memory.events");
    v2::MemoryEvents {
        low: events.get("low"),
        high: events.get("high"),
        max: events.get("max"),
        oom: events.get("oom"),
        oom_kill: events.get("oom_kill"),
        oom_group_kill: events.get("oom_group_kill"),
    }
}

/// `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 …`
fn io_line(line: &str) -> Option<v2::IoEntry> {
    let (device, rest) = line.split_once(' ')?;
    let (major, minor) = device.split_once(':')?;
    let get = |key: &str| {
        let value = |word: &str| word.strip_prefix(key)?.strip_prefix('=')?.parse().ok();
        rest.split_whitespace().find_map(value).unwrap_or(0)
    };
    Some(v2::IoEntry {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
        rbytes: get("rbytes"),
        wbytes: get("wbytes"),
        rios: get("rios"),
        wios: get("wios"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_versions() {
        let entry = blkio_line("254:0 Write 8192").expect("an entry");
        assert_eq!((entry.major, entry.minor, entry.op.as_str(), entry.value), (254, 0, "Write", 8192));
        assert_eq!(blkio_line("Total 8192"), None);
        let entry = io_line("8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0").expect("an entry");
        assert_eq!((entry.minor, entry.rbytes, entry.wbytes, entry.rios, entry.wios), (16, 1, 2, 3, 4));
    }
}
