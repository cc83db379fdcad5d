//! Cgroups that somebody froze, and the end of what is in them.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::CgroupPaths;
use crate::paths::{MOUNT, child_dirs};

const STATE: &str = "freezer.state";

impl CgroupPaths {
    /// Kills every process in the cgroup and below it, frozen ones, too.
    pub fn kill(&self) {
        let pids = self.pids();
        for pid in &pids {
            let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw);
            let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
        }
        self.let_die(&pids);
    }

    /// Whether processes in it cannot even die: so does version 1 hold them, for itself, for a cgroup above it or for one
    /// below, which an engine inside of the container may have frozen. Version 2 lets a killed process end.
    #[must_use]
    pub fn holds_the_dying(&self) -> bool {
        let Self::V1(paths) = self else { return false };
        paths.get("freezer").is_some_and(|dir| holds(dir))
    }

    /// Lets frozen processes end that were sent SIGKILL. They leave for the root of the hierarchy, which is never frozen, so
    /// that nobody else thaws with them, whichever cgroup was frozen.
    pub fn let_die(&self, killed: &[u32]) {
        if !self.holds_the_dying() {
            return;
        }
        let root = Path::new(MOUNT).join("freezer/cgroup.procs");
        for pid in killed {
            // One that has ended is what is wanted.
            let _ = fs::write(&root, pid.to_string());
        }
    }

    /// Undoes a freeze of the cgroup itself: an OCI runtime does not delete what it takes for paused.
    pub fn thaw(&self) {
        let _ = match self {
            Self::V1(paths) => paths.get("freezer").map(|dir| fs::write(dir.join(STATE), "THAWED")),
            Self::V2(path) => Some(fs::write(path.join("cgroup.freeze"), "0")),
        };
    }
}

fn holds(dir: &Path) -> bool {
    let frozen = fs::read_to_string(dir.join(STATE)).is_ok_and(|state| state.trim() != "THAWED");
    frozen || child_dirs(dir).any(|child| holds(&child))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::process::{Child, Command};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    /// Two freezer cgroups, one in the other, and a process in the inner one.
    struct Frozen {
        outer: PathBuf,
        child: Child,
    }

    impl Frozen {
        /// `None` where there is no such hierarchy, or no right to it.
        fn new(name: &str) -> Option<Self> {
            let outer = Path::new(MOUNT).join(format!("freezer/berth-{name}-{}", std::process::id()));
            if fs::create_dir_all(outer.join("inner")).is_err() || !outer.join(STATE).exists() {
                println!("skipped: the freezer of cgroup version 1 is needed");
                return None;
            }
            let child = Command::new("sleep").arg("1000").spawn().expect("starts");
            fs::write(outer.join("inner/cgroup.procs"), child.id().to_string()).expect("moved");
            Some(Self { outer, child })
        }

        fn at(dir: PathBuf) -> CgroupPaths {
            CgroupPaths::V1(BTreeMap::from([("freezer".to_owned(), dir)]))
        }

        fn inner(&self) -> CgroupPaths {
            Self::at(self.outer.join("inner"))
        }

        fn freeze(&self, dir: &Path) {
            fs::write(dir.join(STATE), "FROZEN").expect("frozen");
            let state = || fs::read_to_string(self.outer.join("inner").join(STATE)).unwrap_or_default();
            wait_until(|| state() == "FROZEN\n");
        }
    }

    impl Drop for Frozen {
        fn drop(&mut self) {
            for dir in [self.outer.clone(), self.outer.join("inner")] {
                let _ = fs::write(dir.join(STATE), "THAWED");
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
            wait_until(|| fs::remove_dir(self.outer.join("inner")).is_ok() && fs::remove_dir(&self.outer).is_ok());
        }
    }

    fn wait_until(mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(10);
        while !holds() && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn what_is_frozen_can_be_killed_and_stays_frozen() {
        for own in [true, false] {
            let Some(mut frozen) = Frozen::new(if own { "own" } else { "above" }) else { return };
            assert!(!frozen.inner().holds_the_dying());
            let dir = if own { frozen.outer.join("inner") } else { frozen.outer.clone() };
            frozen.freeze(&dir);
            assert!(frozen.inner().holds_the_dying());
            frozen.inner().kill();
            wait_until(|| frozen.child.try_wait().expect("asked").is_some());
            assert!(frozen.child.try_wait().expect("asked").is_some(), "frozen by itself: {own}");
            assert_eq!(fs::read_to_string(dir.join(STATE)).expect("read"), "FROZEN\n");
            frozen.inner().thaw();
            assert_eq!(frozen.inner().holds_the_dying(), !own);
        }
    }

    #[test]
    fn what_is_frozen_below_can_be_killed() {
        let Some(mut frozen) = Frozen::new("below") else { return };
        frozen.freeze(&frozen.outer.join("inner"));
        let outer = Frozen::at(frozen.outer.clone());
        assert!(outer.holds_the_dying());
        outer.kill();
        wait_until(|| frozen.child.try_wait().expect("asked").is_some());
        assert!(frozen.child.try_wait().expect("asked").is_some());
    }
}
