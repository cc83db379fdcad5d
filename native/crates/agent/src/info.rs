use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{CWD, statfs};
use rustix::mount::{FsOpenFlags, OpenTreeFlags, fsconfig_set_fd, fsopen, open_tree};
use ttrpc::Status;

use crate::namespaces::user_namespace;
use crate::proto::InfoResponse;

/// What the kernel under us can do, found out once.
pub struct Info {
    root: PathBuf,
    answer: OnceLock<InfoResponse>,
}

const CGROUP2_MAGIC: i64 = 0x6367_7270;

impl Info {
    pub fn new(root: PathBuf) -> Self {
        Self { root, answer: OnceLock::new() }
    }

    pub fn answer(&self) -> InfoResponse {
        let find_out = || InfoResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: rustix::process::getpid().as_raw_nonzero().get(),
            idmapped_mounts: maps_ids(&self.root).is_ok(),
            cgroup_mode: cgroup_mode(Path::new(cgroup::MOUNT)).to_owned(),
        };
        self.answer.get_or_init(find_out).clone()
    }
}

/// Tries it on a mount that nobody sees, and whether overlayfs takes such a mount for a layer, as Linux 6.13 does.
fn maps_ids(root: &Path) -> Result<(), Status> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let shown = root.display().to_string();
    let tree = open_tree(CWD, root, flags).map_err(crate::failure::on("clone the mount of", &shown))?;
    let namespace = user_namespace()?;
    sys::map_ids(&tree, namespace).map_err(crate::failure::on("map the ids of", &shown))?;
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(crate::failure::on("open", "overlay"))?;
    fsconfig_set_fd(&overlay, "lowerdir+", &tree).map_err(crate::failure::on("lay an overlay on", &shown))
}

fn cgroup_mode(root: &Path) -> &'static str {
    let is_cgroup2 = |path: &Path| statfs(path).is_ok_and(|stat| stat.f_type == CGROUP2_MAGIC);
    if is_cgroup2(root) {
        "unified"
    } else if is_cgroup2(&root.join("unified")) {
        "hybrid"
    } else {
        "legacy"
    }
}
