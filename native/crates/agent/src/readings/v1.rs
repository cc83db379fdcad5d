use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cgroup::{Dir, limit};

use super::device::Devices;
use super::pressure;
use crate::proto::{CgroupCpu, CgroupHugetlb, CgroupMemory, CgroupPids, CgroupReading};

/// USER_HZ, which the kernel fixes at 100 for user space.
const NANOS_PER_TICK: u64 = 10_000_000;

/// The counters of a cgroup with a directory for each controller. A version 2 hierarchy mounted beside them has no
/// controllers, but tells of pressure.
pub fn read(dirs: &BTreeMap<String, PathBuf>) -> CgroupReading {
    let dir = |controller: &str| Dir(dirs.get(controller).cloned());
    let pids = dir("pids");
    CgroupReading {
        cpu: Some(cpu(&dir("cpuacct"), &dir("cpu"))),
        memory: Some(memory(&dir("memory"))),
        pids: Some(CgroupPids {
            current: pids.number("pids.current"),
            limit: limit(pids.number("pids.max")).unwrap_or(0),
            processes: 0,
        }),
        io: io(&dir("blkio")).entries(),
        hugetlb: dirs.get("hugetlb").map(|dir| hugetlb(dir)).unwrap_or_default(),
        pressure: pressure::read(&dir("unified")),
        ..CgroupReading::default()
    }
}

fn cpu(cpuacct: &Dir, cpu: &Dir) -> CgroupCpu {
    let split = cpuacct.table("cpuacct.stat");
    let throttling = cpu.table("cpu.stat");
    CgroupCpu {
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

fn memory(dir: &Dir) -> CgroupMemory {
    let stat = dir.table("memory.stat");
    let usage_bytes = dir.number("memory.usage_in_bytes");
    let limit_bytes = dir.known("memory.limit_in_bytes").and_then(limit);
    let both_limit = dir.known("memory.memsw.limit_in_bytes").and_then(limit);
    CgroupMemory {
        usage_bytes,
        working_set_bytes: usage_bytes.saturating_sub(stat.get("total_inactive_file")),
        rss_bytes: stat.get("total_rss"),
        cache_bytes: stat.get("total_cache"),
        mapped_file_bytes: stat.get("total_mapped_file"),
        max_usage_bytes: dir.number("memory.max_usage_in_bytes"),
        failcnt: dir.number("memory.failcnt"),
        page_faults: stat.get("total_pgfault"),
        major_page_faults: stat.get("total_pgmajfault"),
        swap_usage_bytes: stat.get("total_swap"),
        kernel_bytes: dir.number("memory.kmem.usage_in_bytes"),
        oom_kills: dir.table("memory.oom_control").get("oom_kill"),
        own_page_faults: stat.get("pgfault"),
        own_major_page_faults: stat.get("pgmajfault"),
        limit_bytes,
        swap_limit_bytes: both_limit.zip(limit_bytes).map(|(both, memory)| both.saturating_sub(memory)),
        reservation_bytes: dir.known("memory.soft_limit_in_bytes").and_then(limit),
    }
}

fn io(blkio: &Dir) -> Devices {
    let mut devices = Devices::default();
    for (file, counts_bytes) in
        [("blkio.throttle.io_service_bytes_recursive", true), ("blkio.throttle.io_serviced_recursive", false)]
    {
        for (device, operation, value) in blkio.text(file).lines().filter_map(io_line) {
            let Some(entry) = devices.of(device) else { continue };
            match (operation, counts_bytes) {
                ("Read", true) => entry.read_bytes = value,
                ("Write", true) => entry.write_bytes = value,
                ("Read", false) => entry.reads = value,
                ("Write", false) => entry.writes = value,
                _ => {}
            }
        }
    }
    devices
}

/// `8:0 Read 4096`; the closing `Total …` is no such line.
fn io_line(line: &str) -> Option<(&str, &str, u64)> {
    let mut words = line.split_whitespace();
    Some((words.next().filter(|device| device.contains(':'))?, words.next()?, words.next()?.parse().ok()?))
}

fn hugetlb(dir: &Path) -> Vec<CgroupHugetlb> {
    let files = Dir(Some(dir.to_owned()));
    let sizes = super::device::names(dir, "hugetlb.", ".usage_in_bytes").into_iter().filter(|size| !size.contains('.'));
    let entry = |page_size: String| CgroupHugetlb {
        usage_bytes: files.number(&format!("hugetlb.{page_size}.usage_in_bytes")),
        max_usage_bytes: files.known(&format!("hugetlb.{page_size}.max_usage_in_bytes")),
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
        let fixture = Fixture::new("v1");
        fixture.write("cpuacct.usage", "1234567\n");
        fixture.write("cpuacct.stat", "user 3\nsystem 2\n");
        fixture.write("cpu.stat", "nr_periods 5\nnr_throttled 4\nthrottled_time 77\n");
        fixture.write("cpu.shares", "512\n");
        fixture.write("cpu.cfs_quota_us", "-1\n");
        fixture.write("cpu.cfs_period_us", "100000\n");
        fixture.write("memory.usage_in_bytes", "1000\n");
        fixture.write("memory.limit_in_bytes", "4096\n");
        fixture.write("memory.memsw.limit_in_bytes", "6096\n");
        fixture.write("memory.soft_limit_in_bytes", "9223372036854771712\n");
        fixture
            .write("memory.stat", "pgfault 1\ntotal_pgfault 9\ntotal_inactive_file 250\ntotal_rss 30\ntotal_swap 12\n");
        fixture.write("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
        fixture.write("pids.current", "7\n");
        fixture.write("pids.max", "max\n");
        fixture.write("blkio.throttle.io_service_bytes_recursive", "250:0 Read 10\n250:0 Write 20\nTotal 30\n");
        fixture.write("blkio.throttle.io_serviced_recursive", "250:0 Read 1\n250:0 Write 2\n");
        fixture.write("hugetlb.2MB.usage_in_bytes", "2097152\n");
        fixture.write("hugetlb.2MB.max_usage_in_bytes", "4194304\n");
        fixture.write("hugetlb.2MB.rsvd.usage_in_bytes", "0\n");
        let all = ["cpuacct", "cpu", "memory", "pids", "blkio", "hugetlb"];
        let reading = read(&all.map(|name| (name.to_owned(), fixture.dir.clone())).into());
        let cpu = reading.cpu.expect("cpu");
        assert_eq!((cpu.usage_ns, cpu.user_ns, cpu.system_ns), (1_234_567, 30_000_000, 20_000_000));
        assert_eq!((cpu.periods, cpu.throttled_periods, cpu.throttled_ns), (5, 4, 77));
        assert_eq!((cpu.shares, cpu.quota_us, cpu.period_us), (Some(512), None, Some(100_000)));
        let memory = reading.memory.expect("memory");
        assert_eq!((memory.working_set_bytes, memory.rss_bytes, memory.swap_usage_bytes), (750, 30, 12));
        assert_eq!((memory.page_faults, memory.own_page_faults, memory.oom_kills), (9, 1, 3));
        assert_eq!(
            (memory.limit_bytes, memory.swap_limit_bytes, memory.reservation_bytes),
            (Some(4096), Some(2000), None)
        );
        assert_eq!(reading.pids, Some(CgroupPids { current: 7, limit: 0, processes: 0 }));
        let io = &reading.io[0];
        assert_eq!((io.device.as_str(), io.read_bytes, io.write_bytes, io.reads, io.writes), ("250:0", 10, 20, 1, 2));
        let huge = CgroupHugetlb { page_size: "2MB".into(), usage_bytes: 2 << 20, max_usage_bytes: Some(4 << 20) };
        assert_eq!(reading.hugetlb, [huge]);
        assert_eq!(reading.pressure, None);
    }

    #[test]
    fn controllers_that_are_missing_count_nothing() {
        let reading = read(&BTreeMap::new());
        assert_eq!((reading.cpu, reading.memory), (Some(CgroupCpu::default()), Some(CgroupMemory::default())));
        assert!(reading.io.is_empty() && reading.hugetlb.is_empty());
    }
}
