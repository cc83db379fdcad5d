use crate::dir::Dir;
use crate::paths::CgroupPaths;

/// How long the tasks of a cgroup waited for something (PSI).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pressure {
    pub some: PressureLine,
    /// Kernels before 5.13 leave it out for the CPU.
    pub full: Option<PressureLine>,
}

/// Shares of the last seconds in percent, and a sum in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PressureLine {
    pub avg10: f64,
    pub avg60: f64,
    pub avg300: f64,
    pub total_us: u64,
}

/// The pressure on the cgroup's `cpu`, `memory` or `io`; `None` where the kernel tells of none. A version 2 hierarchy mounted
/// beside those of version 1 has no controllers, but tells of pressure.
#[must_use]
pub fn pressure(paths: &CgroupPaths, resource: &str) -> Option<Pressure> {
    let dir = match paths {
        CgroupPaths::V1(dirs) => dirs.get("unified").cloned(),
        CgroupPaths::V2(dir) => Some(dir.clone()),
    };
    parse(&Dir(dir).text(&format!("{resource}.pressure")))
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and `full …`.
fn parse(text: &str) -> Option<Pressure> {
    let line = |kind: &str| text.lines().find_map(|line| parse_line(line.strip_prefix(kind)?));
    Some(Pressure { some: line("some ")?, full: line("full ") })
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
    use crate::testing::Fixture;

    #[test]
    fn both_lines_are_read() {
        let text =
            "some avg10=1.50 avg60=0.25 avg300=0.05 total=1234\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=99\n";
        let pressure = parse(text).expect("pressure");
        assert_eq!(pressure.some, PressureLine { avg10: 1.5, avg60: 0.25, avg300: 0.05, total_us: 1234 });
        assert_eq!(pressure.full.map(|line| line.total_us), Some(99));
    }

    #[test]
    fn an_old_kernel_has_one_line_and_one_without_psi_none() {
        let pressure = parse("some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n").expect("pressure");
        assert_eq!(pressure.full, None);
        assert_eq!(parse(""), None);
        assert_eq!(parse("some avg10=x\n"), None);
    }

    #[test]
    fn an_additional_hierarchy_tells_of_it() {
        let fixture = Fixture::new("pressure");
        fixture.write("io.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
        let v1 = CgroupPaths::V1([("unified".to_owned(), fixture.dir.clone())].into());
        assert_eq!(pressure(&v1, "io").map(|pressure| pressure.some.total_us), Some(5));
        assert_eq!((pressure(&v1, "cpu"), pressure(&CgroupPaths::V1([].into()), "io")), (None, None));
    }
}
