use cgroup::Dir;

use crate::proto::{CgroupPressure, Pressure, PressureLine};

/// `None` where the kernel tells of no pressure at all.
pub fn read(dir: &Dir) -> Option<CgroupPressure> {
    let of = |file: &str| parse(&dir.text(file));
    let pressure = CgroupPressure { cpu: of("cpu.pressure"), memory: of("memory.pressure"), io: of("io.pressure") };
    (pressure != CgroupPressure::default()).then_some(pressure)
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and `full …`, which kernels before 5.13 leave out for the CPU.
fn parse(text: &str) -> Option<Pressure> {
    let line = |kind: &str| text.lines().find_map(|line| parse_line(line.strip_prefix(kind)?));
    let some = line("some ")?;
    Some(Pressure { some: Some(some), full: line("full ") })
}

fn parse_line(words: &str) -> Option<PressureLine> {
    let value = |key: &str| words.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    Some(PressureLine {
        avg10: value("avg10")?.parse().ok()?,
        avg60: value("avg60")?.parse().ok()?,
        avg300: value("avg300")?.parse().ok()?,
        total_us: value("total")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lines_are_read() {
        let text =
            "some avg10=1.50 avg60=0.25 avg300=0.05 total=1234\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=99\n";
        let pressure = parse(text).expect("pressure");
        assert_eq!(pressure.some, Some(PressureLine { avg10: 1.5, avg60: 0.25, avg300: 0.05, total_us: 1234 }));
        assert_eq!(pressure.full.map(|line| line.total_us), Some(99));
    }

    #[test]
    fn an_old_kernel_has_one_line_and_one_without_psi_none() {
        let pressure = parse("some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n").expect("pressure");
        assert_eq!(pressure.full, None);
        assert_eq!(parse(""), None);
        assert_eq!(parse("some avg10=x\n"), None);
        assert_eq!(read(&Dir(None)), None);
    }
}
