use std::path::Path;

use cgroup::{Dir, Limits, limit};

use super::device::{Devices, names};
use super::pressure;
use crate::proto::{CgroupCpu, CgroupHugetlb, CgroupMemory, CgroupPids, CgroupReading};

/// The counters of a cgroup in the one hierarchy, and the limits of a process in it.
pub fn read(path: &Path, limits: &Limits) -> CgroupReading {
    let dir = Dir(Some(path.to_owned()));
    CgroupReading {
        cpu: Some(cpu(&dir, limits)),
        memory: Some(memory(&dir, limits)),
        pids: Some(CgroupPids {
            current: dir.number("pids.current"),
            limit: limits.least("pids.max").and_then(limit).unwrap_or(0),
            processes: 0,
        }),
        io: io(&dir).entries(),
        hugetlb: hugetlb(path, &dir),
        pressure: pressure::read(&dir),
        ..CgroupReading::default()
    }
}

fn cpu(dir: &Dir, limits: &Limits) -> CgroupCpu {
    let stat = dir.table("cpu.stat");
    let max = limits.cpu();
    CgroupCpu {
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

fn memory(dir: &Dir, limits: &Limits) -> CgroupMemory {
    let stat = dir.table("memory.stat");
    let events = dir.table("memory.events");
    let usage_bytes = dir.number("memory.current");
    CgroupMemory {
        usage_bytes,
        working_set_bytes: usage_bytes.saturating_sub(stat.get("inactive_file")),
        rss_bytes: stat.get("anon"),
        cache_bytes: stat.get("file"),
        mapped_file_bytes: stat.get("file_mapped"),
        max_usage_bytes: dir.number("memory.peak"),
        failcnt: events.get("max"),
        page_faults: stat.get("pgfault"),
        major_page_faults: stat.get("pgmajfault"),
        swap_usage_bytes: dir.number("memory.swap.current"),
        kernel_bytes: stat.get("kernel"),
        oom_kills: events.get("oom_kill"),
        // Version 2 counts over the whole tree only; a container's cgroup seldom has children.
        own_page_faults: stat.get("pgfault"),
        own_major_page_faults: stat.get("pgmajfault"),
        limit_bytes: limits.least("memory.max").and_then(limit),
        swap_limit_bytes: limits.least("memory.swap.max").and_then(limit),
        reservation_bytes: limits.greatest("memory.low").and_then(limit).filter(|bytes| *bytes > 0),
    }
}

fn io(dir: &Dir) -> Devices {
    let mut devices = Devices::default();
    for (device, values) in dir.text("io.stat").lines().filter_map(|line| line.split_once(' ')) {
        let get = |key: &str| {
            let value = |word: &str| word.strip_prefix(key)?.strip_prefix('=')?.parse().ok();
            values.split_whitespace().find_map(value).unwrap_or(0)
        };
        let Some(entry) = devices.of(device) else { continue };
        entry.read_bytes = get("rbytes");
        entry.write_bytes = get("wbytes");
        entry.reads = get("rios");
        entry.writes = get("wios");
    }
    devices
}

fn hugetlb(path: &Path, dir: &Dir) -> Vec<CgroupHugetlb> {
    let sizes = names(path, "hugetlb.", ".current").into_iter().filter(|size| !size.contains('.'));
    let entry = |page_size: String| CgroupHugetlb {
        usage_bytes: dir.number(&format!("hugetlb.{page_size}.current")),
        max_usage_bytes: None,
        page_size,
    };
    sizes.map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::super::device::testing::Fixture;
    use super::*;

    #[test]
    fn every_file_has_its_meaning() {
        let fixture = Fixture::new("v2");
        fixture.write(
            "cpu.stat",
            "usage_usec 9\nuser_usec 7\nsystem_usec 2\nnr_periods 5\nnr_throttled 3\nthrottled_usec 11\n",
        );
        fixture.write("cpu.max", "20000 100000\n");
        fixture.write("cpu.weight", "39\n");
        fixture.write("memory.current", "1000\n");
        fixture.write("memory.max", "4096\n");
        fixture.write("memory.swap.max", "max\n");
        fixture.write("memory.low", "0\n");
        fixture.write("memory.peak", "1001\n");
        fixture.write(
            "memory.stat",
            "anon 500\nfile 300\nkernel 20\nfile_mapped 40\ninactive_file 250\npgfault 6\npgmajfault 1\n",
        );
        fixture.write("memory.events", "low 0\nmax 2\noom_kill 1\n");
        fixture.write("pids.current", "4\n");
        fixture.write("pids.max", "100\n");
        fixture.write("io.stat", "250:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n250:32 \n");
        fixture.write("hugetlb.2MB.current", "0\n");
        fixture.write("hugetlb.2MB.rsvd.current", "0\n");
        fixture.write(
            "cpu.pressure",
            "some avg10=1.50 avg60=0.20 avg300=0.03 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
        );
        let reading = read(&fixture.dir, &Limits::between(fixture.dir.clone(), fixture.dir.clone()));
        let cpu = reading.cpu.expect("cpu");
        assert_eq!((cpu.usage_ns, cpu.user_ns, cpu.system_ns, cpu.throttled_ns), (9000, 7000, 2000, 11_000));
        assert_eq!((cpu.shares, cpu.quota_us, cpu.period_us), (Some(998), Some(20_000), Some(100_000)));
        let memory = reading.memory.expect("memory");
        assert_eq!((memory.working_set_bytes, memory.rss_bytes, memory.kernel_bytes), (750, 500, 20));
        assert_eq!((memory.max_usage_bytes, memory.failcnt, memory.oom_kills), (1001, 2, 1));
        assert_eq!((memory.limit_bytes, memory.swap_limit_bytes, memory.reservation_bytes), (Some(4096), None, None));
        assert_eq!(reading.pids, Some(CgroupPids { current: 4, limit: 100, processes: 0 }));
        assert_eq!((reading.io[0].minor, reading.io[0].read_bytes, reading.io[0].writes), (16, 1, 4));
        assert_eq!(reading.hugetlb, [CgroupHugetlb { page_size: "2MB".into(), usage_bytes: 0, max_usage_bytes: None }]);
        let cpu = reading.pressure.and_then(|pressure| pressure.cpu).expect("cpu pressure");
        assert_eq!(cpu.some.map(|line| line.total_us), Some(1234));
    }

    #[test]
    fn the_ends_of_the_scale_of_shares() {
        assert_eq!((shares(1), shares(10_000)), (2, 262_144));
    }
}
