use std::path::Path;

use super::{Amount, Blkio, Counters, Cpu, Io, Memory, Pids};
use crate::dir::{Dir, limit};
use crate::limits::Limits;

/// The counters of a cgroup in the one hierarchy, and the limits of a process in it.
pub fn read(path: &Path, limits: &Limits) -> Counters {
    let dir = Dir(Some(path.to_owned()));
    Counters {
        cpu: cpu(&dir, limits),
        memory: memory(&dir, limits),
        pids: Pids { current: dir.number("pids.current"), limit: limits.least("pids.max") },
        io: dir.text("io.stat").lines().filter_map(io).collect(),
        blkio: Blkio::default(),
    }
}

fn cpu(dir: &Dir, limits: &Limits) -> Cpu {
    let stat = dir.table("cpu.stat");
    let max = limits.cpu();
    Cpu {
        usage_ns: stat.get("usage_usec") * 1000,
        user_ns: stat.get("user_usec") * 1000,
        system_ns: stat.get("system_usec") * 1000,
        periods: stat.get("nr_periods"),
        throttled_periods: stat.get("nr_throttled"),
        throttled_ns: stat.get("throttled_usec") * 1000,
        shares: limits.weight().map(shares),
        quota_us: max.and_then(|(quota, _)| quota),
        period_us: max.map(|(_, period)| period),
    }
}

/// OCI runtimes map shares of 2 to 262144 to weights of 1 to 10000 in a straight line; this is the way back.
fn shares(weight: u64) -> u64 {
    2 + weight.saturating_sub(1) * 262_142 / 9999
}

fn memory(dir: &Dir, limits: &Limits) -> Memory {
    let (stat, events) = (dir.table("memory.stat"), dir.table("memory.events"));
    let all = Amount {
        usage: dir.number("memory.current"),
        max_usage: dir.number("memory.peak"),
        failcnt: events.get("max"),
        limit: limits.least("memory.max"),
    };
    let swap_usage = dir.number("memory.swap.current");
    let swap = Amount { usage: swap_usage, limit: limits.least("memory.swap.max"), ..Amount::default() };
    Memory {
        working_set: all.usage.saturating_sub(stat.get("inactive_file")),
        rss: stat.get("anon"),
        cache: stat.get("file"),
        mapped_file: stat.get("file_mapped"),
        page_faults: stat.get("pgfault"),
        major_page_faults: stat.get("pgmajfault"),
        own_page_faults: stat.get("pgfault"),
        own_major_page_faults: stat.get("pgmajfault"),
        swap_usage,
        swap_limit: swap.bound(),
        reservation: limits.greatest("memory.low").and_then(limit).filter(|bytes| *bytes > 0),
        oom_kills: events.get("oom_kill"),
        kernel: Amount { usage: stat.get("kernel"), ..Amount::default() },
        all,
        swap,
        stat,
        events,
    }
}

/// `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 …`
fn io(line: &str) -> Option<Io> {
    let (device, values) = line.split_once(' ')?;
    let (major, minor) = device.split_once(':')?;
    let get = |key: &str| {
        let value = |word: &str| word.strip_prefix(key)?.strip_prefix('=')?.parse().ok();
        values.split_whitespace().find_map(value).unwrap_or(0)
    };
    Some(Io {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
        read_bytes: get("rbytes"),
        write_bytes: get("wbytes"),
        reads: get("rios"),
        writes: get("wios"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixture;

    #[test]
    fn every_file_has_its_meaning() {
        let fixture = Fixture::new("v2");
        let cpu = "usage_usec 9\nuser_usec 7\nsystem_usec 2\nnr_periods 5\nnr_throttled 3\nthrottled_usec 11\n";
        fixture.write("cpu.stat", cpu);
        fixture.write("cpu.max", "20000 100000\n");
        fixture.write("cpu.weight", "39\n");
        fixture.write("memory.current", "1000\n");
        fixture.write("memory.max", "4096\n");
        fixture.write("memory.swap.current", "12\n");
        fixture.write("memory.swap.max", "max\n");
        fixture.write("memory.low", "0\n");
        fixture.write("memory.peak", "1001\n");
        let stat =
            "anon 500\nfile 300\nkernel 20\nfile_mapped 40\ninactive_file 250\npgfault 6\npgmajfault 1\nslab 8\n";
        fixture.write("memory.stat", stat);
        fixture.write("memory.events", "low 0\nmax 2\noom_kill 1\n");
        fixture.write("pids.current", "4\n");
        fixture.write("pids.max", "100\n");
        fixture.write("io.stat", "250:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n250:32 \n");
        let Counters { cpu, memory, pids, io, .. } =
            read(&fixture.dir, &Limits::between(fixture.dir.clone(), fixture.dir.clone()));
        assert_eq!((cpu.usage_ns, cpu.user_ns, cpu.system_ns, cpu.throttled_ns), (9000, 7000, 2000, 11_000));
        assert_eq!((cpu.shares, cpu.quota_us, cpu.period_us), (Some(998), Some(20_000), Some(100_000)));
        assert_eq!(memory.all, Amount { usage: 1000, max_usage: 1001, failcnt: 2, limit: Some(4096) });
        assert_eq!((memory.working_set, memory.rss, memory.kernel.usage), (750, 500, 20));
        assert_eq!((memory.swap_usage, memory.swap.limit, memory.swap_limit), (12, Some(u64::MAX), None));
        assert_eq!((memory.oom_kills, memory.reservation, memory.stat.get("slab")), (1, None, 8));
        assert_eq!(pids, Pids { current: 4, limit: Some(100) });
        assert_eq!(io[0], Io { major: 250, minor: 16, read_bytes: 1, write_bytes: 2, reads: 3, writes: 4 });
        assert_eq!(io[1], Io { major: 250, minor: 32, ..Io::default() });
    }

    #[test]
    fn the_ends_of_the_scale_of_shares() {
        assert_eq!((shares(1), shares(10_000)), (2, 262_144));
    }
}
