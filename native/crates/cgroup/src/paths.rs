//! Where the container's cgroup is: told by its first process while that lives, and by the spec.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The cgroup directories of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CgroupPaths {
    /// Version 1: a directory for each controller, such as `memory`.
    V1(BTreeMap<String, PathBuf>),
    /// Version 2: one directory.
    V2(PathBuf),
}

/// Where the hierarchies are mounted.
pub const MOUNT: &str = "/sys/fs/cgroup";
const V1_MAGIC: i64 = 0x0027_e0eb;
const V2_MAGIC: i64 = 0x6367_7270;
const ROUNDS: usize = 200;
const PAUSE: Duration = Duration::from_millis(10);

impl CgroupPaths {
    /// The cgroups of the container's first process. A process that has ended already is in none, and its entry says `/`:
    /// then they are looked up under `spec_path`, the spec's `linux.cgroupsPath`. So they are without a pid, and on version 2
    /// for a process below the spec's cgroup.
    #[must_use]
    pub fn of(pid: Option<u32>, spec_path: &str) -> Option<Self> {
        Self::whole(pid.and_then(Self::of_process), Self::at(spec_path))
    }

    /// The cgroups of a process.
    #[must_use]
    pub fn of_process(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?, is_unified())
    }

    /// A process may have moved into a child of its cgroup already, which is not all that the container has.
    fn whole(told: Option<Self>, named: Option<Self>) -> Option<Self> {
        match (told, named) {
            (Some(Self::V2(told)), Some(Self::V2(named))) if told.starts_with(&named) => Some(Self::V2(named)),
            (told, named) => told.or(named),
        }
    }

    /// The root cgroup is never a container's: taking it for one would hand the whole machine to Kill.
    fn parse(table: &str, unified: bool) -> Option<Self> {
        let entries = table.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            Some((parts.next()?, parts.next()?, parts.next()?.trim_matches('/')))
        });
        let entries = entries.filter(|(.., path)| is_below(Path::new(path)));
        if unified {
            return entries
                .filter(|(id, ..)| *id == "0")
                .map(|(.., path)| Self::V2(Path::new(MOUNT).join(path)))
                .next();
        }
        let mut paths = BTreeMap::new();
        for (_, controllers, path) in entries {
            for controller in controllers.split(',').filter(|name| !name.is_empty() && !name.starts_with("name=")) {
                paths.insert(controller.to_owned(), Path::new(MOUNT).join(controllers).join(path));
            }
        }
        (!paths.is_empty()).then_some(Self::V1(paths))
    }

    /// The existing cgroups of a spec's `linux.cgroupsPath`.
    #[must_use]
    pub fn at(spec_path: &str) -> Option<Self> {
        Self::named(spec_path, is_unified())
    }

    fn named(spec_path: &str, unified: bool) -> Option<Self> {
        let path = below_mount(spec_path)?;
        if unified {
            let dir = Path::new(MOUNT).join(path);
            return is_cgroup(&dir).then_some(Self::V2(dir));
        }
        let mut paths = BTreeMap::new();
        for entry in fs::read_dir(MOUNT).ok()?.flatten() {
            let dir = entry.path().join(&path);
            if is_cgroup(&dir) {
                for controller in entry.file_name().to_string_lossy().split(',') {
                    paths.insert(controller.to_owned(), dir.clone());
                }
            }
        }
        (!paths.is_empty()).then_some(Self::V1(paths))
    }

    fn dirs(&self) -> Vec<&Path> {
        match self {
            Self::V1(paths) => paths.values().map(PathBuf::as_path).collect(),
            Self::V2(path) => vec![path],
        }
    }

    /// Kills every process in the cgroup and removes it, as far as that succeeds within two seconds.
    pub fn remove(&self) {
        let dirs = self.dirs();
        for _ in 0..ROUNDS {
            self.kill();
            dirs.iter().for_each(|dir| remove_tree(dir));
            if dirs.iter().all(|dir| !dir.exists()) {
                return;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Every process in the cgroup and below it.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        let root = match self {
            Self::V1(paths) => paths.get("pids").or_else(|| paths.get("freezer")).or_else(|| paths.get("memory")),
            Self::V2(path) => Some(path),
        };
        let mut found = Vec::new();
        if let Some(root) = root {
            collect_pids(root, &mut found);
        }
        found
    }
}

fn is_unified() -> bool {
    Path::new(MOUNT).join("cgroup.controllers").exists()
}

/// A plain directory below the mount point of a hierarchy that is not mounted is none.
fn is_cgroup(dir: &Path) -> bool {
    rustix::fs::statfs(dir).is_ok_and(|stat| matches!(stat.f_type, V1_MAGIC | V2_MAGIC))
}

/// `linux.cgroupsPath` of the bundle's spec; empty when it says none.
#[must_use]
pub fn spec_path(bundle: &Path) -> String {
    let text = fs::read(bundle.join("config.json")).unwrap_or_default();
    let spec: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    spec.pointer("/linux/cgroupsPath").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// A spec's cgroupsPath as the runtime places it, below the mount points: a path, or systemd's `slice:prefix:name`.
#[must_use]
pub fn below_mount(cgroups_path: &str) -> Option<PathBuf> {
    let path = match cgroups_path.split(':').collect::<Vec<_>>()[..] {
        [slice, prefix, name] => slice_path(slice)?.join(format!("{prefix}-{name}.scope")),
        _ => PathBuf::from(cgroups_path.trim_start_matches('/')),
    };
    is_below(&path).then_some(path)
}

/// Whether a relative path leads further down, which neither an empty one nor one with `..` or `.` in front does.
fn is_below(path: &Path) -> bool {
    path.components().next().is_some() && path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// `a-b.slice` lies in `a.slice`, and `-.slice` is the root, as systemd.slice(5) tells.
fn slice_path(slice: &str) -> Option<PathBuf> {
    let name = slice.strip_suffix(".slice")?;
    if name == "-" {
        return Some(PathBuf::new());
    }
    let ends = name.match_indices('-').map(|(at, _)| at).chain([name.len()]);
    Some(ends.map(|end| format!("{}.slice", &name[..end])).collect())
}

/// Children first. A group that a process is still leaving stays for the next round.
fn remove_tree(dir: &Path) {
    child_dirs(dir).for_each(|child| remove_tree(&child));
    let _ = fs::remove_dir(dir);
}

/// The cgroups right below one.
pub fn child_dirs(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

fn collect_pids(dir: &Path, found: &mut Vec<u32>) {
    let procs = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    found.extend(procs.lines().filter_map(|line| line.parse::<u32>().ok()));
    child_dirs(dir).for_each(|child| collect_pids(&child, found));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_has_a_directory_for_each_controller() {
        let table = "4:memory:/pods/c1\n2:cpu,cpuacct:/pods/c1\n9:name=systemd:/\n0::/\n";
        let Some(CgroupPaths::V1(paths)) = CgroupPaths::parse(table, false) else { panic!("v1") };
        assert_eq!(paths["memory"], Path::new("/sys/fs/cgroup/memory/pods/c1"));
        assert_eq!(paths["cpuacct"], Path::new("/sys/fs/cgroup/cpu,cpuacct/pods/c1"));
        assert!(!paths.contains_key("name=systemd"));
    }

    #[test]
    fn the_root_is_nobodys_cgroup() {
        assert_eq!(CgroupPaths::parse("4:memory:/\n2:cpu,cpuacct:/\n0::/\n", false), None);
        assert_eq!(CgroupPaths::parse("0::/\n", true), None);
        assert_eq!(below_mount("/"), None);
        let Some(CgroupPaths::V1(paths)) = CgroupPaths::parse("4:memory:/\n2:pids:/p\n", false) else { panic!("v1") };
        assert_eq!(paths.keys().collect::<Vec<_>>(), ["pids"]);
    }

    #[test]
    fn a_spec_tells_where_the_runtime_puts_the_cgroup() {
        assert_eq!(below_mount("/pods/c1"), Some("pods/c1".into()));
        let scope = "kubepods.slice/kubepods-burstable.slice/berth-c1.scope";
        assert_eq!(below_mount("kubepods-burstable.slice:berth:c1"), Some(scope.into()));
        assert_eq!(below_mount("-.slice:berth:c1"), Some("berth-c1.scope".into()));
        assert_eq!(below_mount("broken:berth:c1"), None);
        for root in ["", "/", ".", "/.", "..", "/pods/../..", "/../x"] {
            assert_eq!(below_mount(root), None, "{root}");
        }
        assert_eq!(CgroupPaths::parse("8:pids:/../x\n", false), None);
    }

    #[test]
    fn a_process_that_moved_below_the_cgroup_of_the_spec_is_in_that_one() {
        let v2 = |path: &str| Some(CgroupPaths::V2(Path::new(MOUNT).join(path)));
        let told = |path: &str| CgroupPaths::parse(&format!("0::/{path}\n"), true);
        assert_eq!(CgroupPaths::whole(told("pods/c1/init.scope"), v2("pods/c1")), v2("pods/c1"));
        assert_eq!(CgroupPaths::whole(told("pods/c1"), v2("pods/c1")), v2("pods/c1"));
        // Elsewhere: the process knows better.
        assert_eq!(CgroupPaths::whole(told("pods/c12"), v2("pods/c1")), v2("pods/c12"));
        assert_eq!(CgroupPaths::whole(told("pods"), v2("pods/c1")), v2("pods"));
        assert_eq!(CgroupPaths::whole(told("pods/c1/x"), None), v2("pods/c1/x"));
        // It has ended.
        assert_eq!(CgroupPaths::whole(told(""), v2("pods/c1")), v2("pods/c1"));
    }

    #[test]
    fn version_2_has_one() {
        let found = CgroupPaths::parse("0::/kubepods/c1\n", true);
        assert_eq!(found, Some(CgroupPaths::V2("/sys/fs/cgroup/kubepods/c1".into())));
    }
}
