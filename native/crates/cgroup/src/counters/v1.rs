use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Amount, Blkio, Counters, Cpu, Io, Memory, Operation, Pids};
use crate::dir::{Dir, limit};

/// USER_HZ, which the kernel fixes at 100 for user space.
const NANOS_PER_TICK: u64 = 10_000_000;

/// The counters of a cgroup with a directory for each controller.
pub fn read(dirs: &BTreeMap<String, PathBuf>) -> Counters {
    let dir = |controller: &str| Dir(dirs.get(controller).cloned());
    let (pids, blkio) = (dir("pids"), dir("blkio"));
    let operations = |file: &str| blkio.text(file).lines().filter_map(operation).collect();
    let blkio = Blkio {
        bytes: operations("blkio.throttle.io_service_bytes_recursive"),
        operations: operations("blkio.throttle.io_serviced_recursive"),
    };
    Counters {
        cpu: cpu(&dir("cpuacct"), &dir("cpu")),
        memory: memory(&dir("memory")),
        pids: Pids { current: pids.number("pids.current"), limit: pids.known("pids.max") },
        io: io(&blkio),
        blkio,
    }
}

fn cpu(cpuacct: &Dir, cpu: &Dir) -> Cpu {
    let split = cpuacct.table("cpuacct.stat");
    let throttling = cpu.table("cpu.stat");
    Cpu {
        usage_ns: cpuacct.number("cpuacct.usage"),
        user_ns: split.get("user") * NANOS_PER_TICK,
        system_ns: split.get("system") * NANOS_PER_TICK,
        periods: throttling.get("nr_periods"),
        throttled_periods: throttling.get("nr_throttled"),
        throttled_ns: throttling.get("throttled_time"),
        shares: cpu.known("cpu.shares"),
        // -1 when there is none.
        quota_us: cpu.known("cpu.cfs_quota_us"),
        period_us: cpu.known("cpu.cfs_period_us"),
    }
}

fn memory(dir: &Dir) -> Memory {
    let amount = |prefix: &str| Amount {
        usage: dir.number(&format!("{prefix}.usage_in_bytes")),
        max_usage: dir.number(&format!("{prefix}.max_usage_in_bytes")),
        failcnt: dir.number(&format!("{prefix}.failcnt")),
        limit: dir.known(&format!("{prefix}.limit_in_bytes")),
    };
    let (all, swap, kernel) = (amount("memory"), amount("memory.memsw"), amount("memory.kmem"));
    let (stat, events) = (dir.table("memory.stat"), dir.table("memory.oom_control"));
    Memory {
        working_set: all.usage.saturating_sub(stat.get("total_inactive_file")),
        rss: stat.get("total_rss"),
        cache: stat.get("total_cache"),
        mapped_file: stat.get("total_mapped_file"),
        page_faults: stat.get("total_pgfault"),
        major_page_faults: stat.get("total_pgmajfault"),
        own_page_faults: stat.get("pgfault"),
        own_major_page_faults: stat.get("pgmajfault"),
        swap_usage: stat.get("total_swap"),
        swap_limit: swap.bound().zip(all.bound()).map(|(both, memory)| both.saturating_sub(memory)),
        reservation: dir.known("memory.soft_limit_in_bytes").and_then(limit),
        oom_kills: events.get("oom_kill"),
        all,
        swap,
        kernel,
        stat,
        events,
    }
}

/// The closing `Total …` is no operation.
fn operation(line: &str) -> Option<Operation> {
    let mut words = line.split_whitespace();
    let (major, minor) = words.next()?.split_once(':')?;
    Some(Operation {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
        name: words.next()?.to_owned(),
        value: words.next()?.parse().ok()?,
    })
}

fn io(blkio: &Blkio) -> Vec<Io> {
    let mut devices: BTreeMap<(u64, u64), Io> = BTreeMap::new();
    let bytes = blkio.bytes.iter().map(|operation| (operation, true));
    for (operation, counts_bytes) in bytes.chain(blkio.operations.iter().map(|operation| (operation, false))) {
        let (major, minor) = (operation.major, operation.minor);
        let io = devices.entry((major, minor)).or_insert(Io { major, minor, ..Io::default() });
        match (operation.name.as_str(), counts_bytes) {
            ("Read", true) => io.read_bytes = operation.value,
            ("Write", true) => io.write_bytes = operation.value,
            ("Read", false) => io.reads = operation.value,
            ("Write", false) => io.writes = operation.value,
            _ => {}
        }
    }
    devices.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixture;

    #[test]
    fn every_file_has_its_meaning() {
        let fixture = Fixture::new("v1");
        fixture.write("cpuacct.usage", "1234567\n");
        fixture.write("cpuacct.stat", "user 3\nsystem 2\n");
        fixture.write("cpu.stat", "nr_periods 5\nnr_throttled 4\nthrottled_time 77\n");
        fixture.write("cpu.shares", "512\n");
        fixture.write("cpu.cfs_quota_us", "-1\n");
        fixture.write("cpu.cfs_period_us", "100000\n");
        fixture.write("memory.usage_in_bytes", "1000\n");
        fixture.write("memory.max_usage_in_bytes", "1001\n");
        fixture.write("memory.failcnt", "6\n");
        fixture.write("memory.limit_in_bytes", "4096\n");
        fixture.write("memory.memsw.usage_in_bytes", "1012\n");
        fixture.write("memory.memsw.limit_in_bytes", "6096\n");
        fixture.write("memory.kmem.usage_in_bytes", "20\n");
        fixture.write("memory.kmem.limit_in_bytes", "9223372036854771712\n");
        fixture.write("memory.soft_limit_in_bytes", "9223372036854771712\n");
        fixture.write(
            "memory.stat",
            "cache 1\npgfault 1\ntotal_pgfault 9\ntotal_inactive_file 250\ntotal_rss 30\ntotal_cache 40\ntotal_swap 12\n",
        );
        fixture.write("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
        fixture.write("pids.current", "7\n");
        fixture.write("pids.max", "max\n");
        fixture.write("blkio.throttle.io_service_bytes_recursive", "250:0 Read 10\n250:0 Write 20\nTotal 30\n");
        fixture.write("blkio.throttle.io_serviced_recursive", "250:0 Read 1\n250:0 Write 2\n250:0 Sync 3\n");
        let all = ["cpuacct", "cpu", "memory", "pids", "blkio"];
        let Counters { cpu, memory, pids, io, blkio } =
            read(&all.map(|name| (name.to_owned(), fixture.dir.clone())).into());
        assert_eq!((cpu.usage_ns, cpu.user_ns, cpu.system_ns), (1_234_567, 30_000_000, 20_000_000));
        assert_eq!((cpu.periods, cpu.throttled_periods, cpu.throttled_ns), (5, 4, 77));
        assert_eq!((cpu.shares, cpu.quota_us, cpu.period_us), (Some(512), None, Some(100_000)));
        assert_eq!(memory.all, Amount { usage: 1000, max_usage: 1001, failcnt: 6, limit: Some(4096) });
        assert_eq!((memory.swap.usage, memory.kernel.usage, memory.kernel.bound()), (1012, 20, None));
        assert_eq!((memory.working_set, memory.rss, memory.cache, memory.swap_usage), (750, 30, 40, 12));
        assert_eq!((memory.page_faults, memory.own_page_faults, memory.oom_kills), (9, 1, 3));
        assert_eq!((memory.all.bound(), memory.swap_limit, memory.reservation), (Some(4096), Some(2000), None));
        assert_eq!((memory.stat.get("cache"), memory.events.get("oom_kill")), (1, 3));
        assert_eq!(pids, Pids { current: 7, limit: Some(u64::MAX) });
        assert_eq!(io, [Io { major: 250, minor: 0, read_bytes: 10, write_bytes: 20, reads: 1, writes: 2 }]);
        assert_eq!((blkio.bytes.len(), blkio.operations.len()), (2, 3));
    }

    #[test]
    fn controllers_that_are_missing_count_nothing() {
        let counters = read(&BTreeMap::new());
        assert_eq!((counters.cpu, counters.memory.all), (Cpu::default(), Amount::default()));
        assert_eq!((counters.pids, counters.io), (Pids::default(), Vec::new()));
    }
}
