//! Stats: the container's cgroup as containerd's messages for version 1 and 2.

use cgroup::{Amount, CgroupPaths, Counters, Cpu, Memory, Operation};
use prost::Message;

use crate::proto::cgroups::{v1, v2};

/// The counters of a container's cgroup, and the limits of its main process.
#[must_use]
pub fn read(cgroup: &CgroupPaths, pid: u32) -> prost_types::Any {
    let counters = Counters::read(cgroup, Some(pid));
    match cgroup {
        CgroupPaths::V1(_) => any("io.containerd.cgroups.v1.Metrics", &metrics_v1(&counters)),
        CgroupPaths::V2(_) => any("io.containerd.cgroups.v2.Metrics", &metrics_v2(&counters)),
    }
}

fn any(name: &str, message: &impl Message) -> prost_types::Any {
    prost_types::Any { type_url: name.to_owned(), value: message.encode_to_vec() }
}

fn metrics_v1(counters: &Counters) -> v1::Metrics {
    let events = &counters.memory.events;
    v1::Metrics {
        cpu: Some(cpu_v1(&counters.cpu)),
        memory: Some(memory_v1(&counters.memory)),
        memory_oom_control: Some(v1::MemoryOomControl {
            oom_kill_disable: events.get("oom_kill_disable"),
            under_oom: events.get("under_oom"),
            oom_kill: events.get("oom_kill"),
        }),
        // 0 stands for no limit.
        pids: Some(v1::PidsStat {
            current: counters.pids.current,
            limit: counters.pids.limit.filter(|limit| *limit != u64::MAX).unwrap_or(0),
        }),
        blkio: Some(v1::BlkIoStat {
            io_service_bytes_recursive: counters.blkio.bytes.iter().map(blkio_entry).collect(),
            io_serviced_recursive: counters.blkio.operations.iter().map(blkio_entry).collect(),
            ..v1::BlkIoStat::default()
        }),
        ..v1::Metrics::default()
    }
}

fn cpu_v1(cpu: &Cpu) -> v1::CpuStat {
    let usage =
        v1::CpuUsage { total: cpu.usage_ns, kernel: cpu.system_ns, user: cpu.user_ns, ..v1::CpuUsage::default() };
    let throttling = v1::Throttle {
        periods: cpu.periods,
        throttled_periods: cpu.throttled_periods,
        throttled_time: cpu.throttled_ns,
    };
    v1::CpuStat { usage: Some(usage), throttling: Some(throttling) }
}

fn memory_v1(memory: &Memory) -> v1::MemoryStat {
    let stat = &memory.stat;
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
        usage: Some(entry(&memory.all)),
        swap: Some(entry(&memory.swap)),
        kernel: Some(entry(&memory.kernel)),
        ..v1::MemoryStat::default()
    }
}

fn entry(amount: &Amount) -> v1::MemoryEntry {
    let &Amount { usage, max_usage: max, failcnt, limit } = amount;
    v1::MemoryEntry { usage, max, failcnt, limit: limit.unwrap_or(0) }
}

fn blkio_entry(operation: &Operation) -> v1::BlkIoEntry {
    let &Operation { major, minor, value, .. } = operation;
    v1::BlkIoEntry { major, minor, op: operation.name.clone(), value, ..v1::BlkIoEntry::default() }
}

fn metrics_v2(counters: &Counters) -> v2::Metrics {
    let events = &counters.memory.events;
    v2::Metrics {
        pids: Some(v2::PidsStat { current: counters.pids.current, limit: counters.pids.limit.unwrap_or(0) }),
        cpu: Some(cpu_v2(&counters.cpu)),
        memory: Some(memory_v2(&counters.memory)),
        memory_events: Some(v2::MemoryEvents {
            low: events.get("low"),
            high: events.get("high"),
            max: events.get("max"),
            oom: events.get("oom"),
            oom_kill: events.get("oom_kill"),
            oom_group_kill: events.get("oom_group_kill"),
        }),
        io: Some(v2::IoStat { usage: counters.io.iter().map(io_entry).collect(), ..v2::IoStat::default() }),
        ..v2::Metrics::default()
    }
}

fn cpu_v2(cpu: &Cpu) -> v2::CpuStat {
    v2::CpuStat {
        usage_usec: cpu.usage_ns / 1000,
        user_usec: cpu.user_ns / 1000,
        system_usec: cpu.system_ns / 1000,
        nr_periods: cpu.periods,
        nr_throttled: cpu.throttled_periods,
        throttled_usec: cpu.throttled_ns / 1000,
        ..v2::CpuStat::default()
    }
}

fn memory_v2(memory: &Memory) -> v2::MemoryStat {
    let stat = &memory.stat;
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
        usage: memory.all.usage,
        usage_limit: memory.all.limit.unwrap_or(0),
        max_usage: memory.all.max_usage,
        swap_usage: memory.swap.usage,
        swap_limit: memory.swap.limit.unwrap_or(0),
        ..v2::MemoryStat::default()
    }
}

fn io_entry(io: &cgroup::Io) -> v2::IoEntry {
    v2::IoEntry {
        major: io.major,
        minor: io.minor,
        rbytes: io.read_bytes,
        wbytes: io.write_bytes,
        rios: io.reads,
        wios: io.writes,
    }
}
