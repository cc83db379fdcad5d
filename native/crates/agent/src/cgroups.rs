use std::fs;
use std::path::{Path, PathBuf};

use cgroup::MOUNT;
use ttrpc::Status;

use crate::failure;
use crate::proto::Empty;

/// Moves the calling thread's process into the cgroup that it is in. Nothing changes, but the kernel takes the lock that
/// every such move takes, and whoever takes it soon after need not wait for a grace period again.
pub fn warm() -> Result<Empty, Status> {
    let table = fs::read_to_string("/proc/self/cgroup").map_err(failure::io("read", "/proc/self/cgroup"))?;
    if let Some(file) = own_procs(&table, Path::new(MOUNT).join("cgroup.controllers").exists()) {
        fs::write(&file, "0").map_err(failure::io("write", file.display().to_string()))?;
    }
    Ok(Empty {})
}

/// `cgroup.procs` of this process's own cgroup, in the first hierarchy there is.
fn own_procs(table: &str, unified: bool) -> Option<PathBuf> {
    let of = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let named = controllers.is_empty() || controllers.starts_with("name=");
        let dir = if unified { Path::new(MOUNT).to_owned() } else { Path::new(MOUNT).join(controllers) };
        (named == unified).then(|| dir.join(path.trim_start_matches('/')).join("cgroup.procs"))
    };
    table.lines().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_own_cgroup_in_either_version() {
        let v1 = "9:name=systemd:/\n4:memory:/a/b\n0::/\n";
        assert_eq!(own_procs(v1, false), Some("/sys/fs/cgroup/memory/a/b/cgroup.procs".into()));
        assert_eq!(own_procs("0::/system.slice/b\n", true), Some("/sys/fs/cgroup/system.slice/b/cgroup.procs".into()));
        assert_eq!(own_procs("0::/\n", false), None);
    }

    #[test]
    fn warming_changes_nothing() {
        let before = fs::read_to_string("/proc/self/cgroup").expect("readable");
        warm().expect("warmed");
        assert_eq!(fs::read_to_string("/proc/self/cgroup").expect("readable"), before);
    }
}
