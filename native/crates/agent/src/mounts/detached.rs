use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Result;
use rustix::mount::{MountFlags, MountPropagationFlags, OpenTreeFlags, mount_change, open_tree};
use rustix::thread::UnshareFlags;
use ttrpc::Status;

use super::options::Options;
use super::{mount, overlay};
use crate::failure;
use crate::proto::FilesystemMount;
use crate::thread::apart;

const ROOT: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The root directory of a snapshot, without a mount that anybody else could see. The mount lives as long as this very
/// descriptor: in what other descriptors still reach after it, the kernel refuses to walk `..` (`EAGAIN`).
pub fn root_of(mounts: &[FilesystemMount]) -> std::result::Result<OwnedFd, Status> {
    let [mount] = mounts else {
        return Err(failure::invalid(format!("a snapshot's root is one mount, not {}", mounts.len())));
    };
    let options = Options::parse(&mount.options);
    let what = format!("a snapshot of {}", mount.r#type);
    if options.bind.is_some() {
        return open(&mount.source).map_err(failure::on("open", &mount.source));
    }
    if mount.r#type != "overlay" {
        return Err(failure::invalid(format!("cannot look into {what}")));
    }
    overlay_root(&options).map_err(failure::on("mount", what))
}

fn open(dir: &str) -> Result<OwnedFd> {
    rustix::fs::open(dir, ROOT, Mode::empty())
}

/// Mounts the layers for reading. The upper directory becomes the topmost lower one: a container may be writing to it,
/// and one upper directory must not serve two mounts.
fn overlay_root(options: &Options) -> Result<OwnedFd> {
    let upper = options.value("upperdir").map(str::to_owned);
    let lower: Vec<String> = upper.into_iter().chain(overlay::lower_dirs(options)).collect();
    if let [only] = lower.as_slice() {
        // Overlay refuses to show a single layer; there is nothing to merge.
        return open(only);
    }
    let read_only = read_only(options);
    match overlay::build(&lower, &read_only) {
        Err(errno) if overlay::is_too_old(errno) => in_private_namespace(&lower, &read_only),
        other => other,
    }
}

fn read_only(options: &Options) -> Options {
    const FOR_WRITING: [&str; 4] = ["lowerdir=", "upperdir=", "workdir=", "volatile"];
    let words = options.data.iter().filter(|word| !FOR_WRITING.iter().any(|prefix| word.starts_with(prefix)));
    Options { flags: MountFlags::RDONLY, data: words.cloned().collect(), ..Options::default() }
}

/// The way of kernels without `lowerdir+`: a thread with a mount namespace of its own mounts, clones the mount
/// into a detached one and ends.
fn in_private_namespace(lower: &[String], options: &Options) -> Result<OwnedFd> {
    // Any directory will do as the mount point, and this one always exists.
    const POINT: &str = "/proc";
    let escaped: Vec<String> = lower.iter().map(|dir| dir.replace('\\', "\\\\").replace(':', "\\:")).collect();
    let mut words = options.data.clone();
    words.push(format!("lowerdir={}", escaped.join(":")));
    words.push("ro".to_owned());
    let mount = FilesystemMount { r#type: "overlay".into(), source: "overlay".into(), options: words };
    let mut opened = None;
    let done = apart(|| {
        opened = Some((|| {
            sys::unshare(UnshareFlags::NEWNS)?;
            mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
            mount::attach(&mount, POINT)?;
            open_tree(CWD, POINT, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
        })());
        Ok(())
    });
    match (opened, done) {
        (Some(result), Ok(())) => result,
        _ => Err(rustix::io::Errno::AGAIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_show_the_merged_layers_and_leave_no_mount() {
        let base = std::env::temp_dir().join(format!("berth-detached-{}", std::process::id()));
        let dir = |name: &str| base.join(name).display().to_string();
        for name in ["top", "bottom"] {
            std::fs::create_dir_all(base.join(name).join("sub")).unwrap();
            std::fs::write(base.join(name).join(name), "").unwrap();
        }
        let options = Options { flags: MountFlags::RDONLY, ..Options::default() };
        let lower = [dir("top"), dir("bottom")];
        let new = overlay_root(&Options::parse(&[format!("lowerdir={}", lower.join(":"))]));
        let old = in_private_namespace(&lower, &options);
        for root in [new, old] {
            let root = root.unwrap();
            for name in ["top", "/sub/../bottom"] {
                let inside = rustix::fs::ResolveFlags::IN_ROOT;
                rustix::fs::openat2(&root, name, OFlags::PATH, Mode::empty(), inside).unwrap();
            }
        }
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        std::fs::remove_dir_all(&base).unwrap();
        assert!(!mounts.contains(&base.display().to_string()));
    }
}
