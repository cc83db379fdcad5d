use std::path::PathBuf;

use crate::dir::Dir;
use crate::paths::CgroupPaths;

/// The weight of a cgroup of version 2 to which nobody gave one.
const DEFAULT_WEIGHT: u64 = 100;

/// Where the limits of a container may stand in version 2: in the cgroup of its process and in each above it, up to its own.
/// crun 1.8 writes them into a group inside the scope that systemd made; what is counted is the whole scope's.
pub struct Limits(Vec<Dir>);

impl Limits {
    /// Of the container whose cgroup is `whole` and whose process is `pid`. A process that is gone, or elsewhere, tells nothing.
    #[must_use]
    pub fn of(whole: &CgroupPaths, pid: Option<u32>) -> Self {
        let CgroupPaths::V2(whole) = whole else { return Self(Vec::new()) };
        match pid.and_then(CgroupPaths::of_process) {
            Some(CgroupPaths::V2(told)) => Self::between(told, whole.clone()),
            _ => Self::between(whole.clone(), whole.clone()),
        }
    }

    /// The directories from `told` up to `whole`.
    #[must_use]
    pub fn between(told: PathBuf, whole: PathBuf) -> Self {
        let inner = if told.starts_with(&whole) { told } else { whole.clone() };
        Self(inner.ancestors().take_while(|dir| dir.starts_with(&whole)).map(|dir| Dir(Some(dir.to_owned()))).collect())
    }

    /// The least of the numbers in these files, `u64::MAX` where all say "max"; `None` where there is no such file.
    #[must_use]
    pub fn least(&self, file: &str) -> Option<u64> {
        self.0.iter().filter_map(|dir| dir.known(file)).min()
    }

    /// As `least`, but the greatest: of protections.
    #[must_use]
    pub fn greatest(&self, file: &str) -> Option<u64> {
        self.0.iter().filter_map(|dir| dir.known(file)).max()
    }

    /// The innermost `cpu.weight` that somebody chose.
    #[must_use]
    pub fn weight(&self) -> Option<u64> {
        let mut known = self.0.iter().filter_map(|dir| dir.known("cpu.weight")).peekable();
        known.peek()?;
        Some(known.find(|weight| *weight != DEFAULT_WEIGHT).unwrap_or(DEFAULT_WEIGHT))
    }

    /// Quota, if there is one, and period in microseconds of the `cpu.max` that grants least.
    #[must_use]
    pub fn cpu(&self) -> Option<(Option<u64>, u64)> {
        let parse = |text: String| {
            let mut words = text.split_whitespace();
            Some((words.next()?.parse::<u64>().ok(), words.next()?.parse::<u64>().ok()?))
        };
        let share = |(quota, period): &(Option<u64>, u64)| {
            quota.map_or(u128::MAX, |quota| (u128::from(quota) << 64) / u128::from(*period).max(1))
        };
        self.0.iter().filter_map(|dir| parse(dir.text("cpu.max"))).min_by_key(share)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("berth-limits-{name}-{}", std::process::id()));
            fs::create_dir_all(dir.join("scope/container/init.scope")).expect("a tree");
            Self(dir)
        }

        fn write(&self, dir: &str, file: &str, text: &str) {
            fs::write(self.0.join(dir).join(file), text).expect("a file");
        }

        fn limits(&self, told: &str) -> Limits {
            Limits::between(self.0.join(told), self.0.join("scope"))
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn limits_inside_the_scope_are_found() {
        let tree = Tree::new("inner");
        // Above the container: the pod's, which others share.
        tree.write("", "memory.max", "1\n");
        for (file, scope, inner, innermost) in [
            ("memory.max", "max", "67108864", "max"),
            ("pids.max", "3518", "max", "max"),
            ("memory.low", "0", "4096", "0"),
        ] {
            tree.write("scope", file, scope);
            tree.write("scope/container", file, inner);
            tree.write("scope/container/init.scope", file, innermost);
        }
        tree.write("scope", "cpu.weight", "100\n");
        tree.write("scope/container", "cpu.weight", "20\n");
        tree.write("scope", "cpu.max", "max 100000\n");
        tree.write("scope/container", "cpu.max", "50000 100000\n");
        for told in ["scope/container", "scope/container/init.scope"] {
            let limits = tree.limits(told);
            assert_eq!((limits.least("memory.max"), limits.least("pids.max")), (Some(64 << 20), Some(3518)));
            assert_eq!((limits.greatest("memory.low"), limits.weight()), (Some(4096), Some(20)));
            assert_eq!(limits.cpu(), Some((Some(50_000), 100_000)));
        }
        assert_eq!(tree.limits("scope").least("memory.max"), Some(u64::MAX));
        // A process that is elsewhere has nothing to say.
        let strange = Limits::between(Path::new("/somewhere").into(), tree.0.join("scope"));
        assert_eq!((strange.least("pids.max"), strange.cpu()), (Some(3518), Some((None, 100_000))));
    }

    #[test]
    fn files_that_are_missing_are_no_limits() {
        let limits = Tree::new("missing").limits("scope");
        assert_eq!((limits.least("memory.max"), limits.weight(), limits.cpu()), (None, None, None));
    }
}
