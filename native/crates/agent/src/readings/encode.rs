//! A cgroup's counters as messages.

use super::device;
use crate::proto::{CgroupCpu, CgroupHugetlb, CgroupIo, CgroupMemory, CgroupPressure, Pressure, PressureLine};

pub fn cpu(cpu: &cgroup::Cpu) -> CgroupCpu {
    CgroupCpu {
        usage_ns: cpu.usage_ns,
        user_ns: cpu.user_ns,
        system_ns: cpu.system_ns,
        periods: cpu.periods,
        throttled_periods: cpu.throttled_periods,
        throttled_ns: cpu.throttled_ns,
        shares: cpu.shares,
        quota_us: cpu.quota_us,
        period_us: cpu.period_us,
    }
}

pub fn memory(memory: &cgroup::Memory) -> CgroupMemory {
    CgroupMemory {
        usage_bytes: memory.all.usage,
        working_set_bytes: memory.working_set,
        rss_bytes: memory.rss,
        cache_bytes: memory.cache,
        mapped_file_bytes: memory.mapped_file,
        max_usage_bytes: memory.all.max_usage,
        failcnt: memory.all.failcnt,
        page_faults: memory.page_faults,
        major_page_faults: memory.major_page_faults,
        swap_usage_bytes: memory.swap_usage,
        kernel_bytes: memory.kernel.usage,
        oom_kills: memory.oom_kills,
        own_page_faults: memory.own_page_faults,
        own_major_page_faults: memory.own_major_page_faults,
        limit_bytes: memory.all.bound(),
        swap_limit_bytes: memory.swap_limit,
        reservation_bytes: memory.reservation,
    }
}

pub fn io(io: cgroup::Io) -> CgroupIo {
    let cgroup::Io { major, minor, read_bytes, write_bytes, reads, writes } = io;
    CgroupIo { device: device::name(major, minor), major, minor, read_bytes, write_bytes, reads, writes }
}

pub fn hugetlb(pages: cgroup::Hugetlb) -> CgroupHugetlb {
    CgroupHugetlb { page_size: pages.page_size, usage_bytes: pages.usage, max_usage_bytes: pages.max_usage }
}

/// `None` where the kernel tells of no pressure at all.
pub fn pressure(of: impl Fn(&str) -> Option<cgroup::Pressure>) -> Option<CgroupPressure> {
    let of = |resource| {
        of(resource).map(|pressure| Pressure { some: Some(line(pressure.some)), full: pressure.full.map(line) })
    };
    let pressure = CgroupPressure { cpu: of("cpu"), memory: of("memory"), io: of("io") };
    (pressure != CgroupPressure::default()).then_some(pressure)
}

const fn line(line: cgroup::PressureLine) -> PressureLine {
    let cgroup::PressureLine { avg10, avg60, avg300, total_us } = line;
    PressureLine { avg10, avg60, avg300, total_us }
}
