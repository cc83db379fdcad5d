//! Mounts, snapshots and layers on a real filesystem.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use support::proto::{
    CopySnapshotTreeRequest, DiskUsageRequest, DiskUsageResponse, Empty, FilesystemMount, InfoRequest, InfoResponse,
    MountRequest, ReadSnapshotFilesRequest, ReadSnapshotFilesResponse, RemoveTreeRequest, ResolveInSnapshotRequest,
    ResolveInSnapshotResponse, UnmountRequest,
};
use support::{Agent, Scratch, assert_fails, mounts_below, output, text};
use ttrpc::Code;

fn fs_mount(kind: &str, source: &str, options: &[&str]) -> FilesystemMount {
    let options = options.iter().map(|&option| option.to_owned()).collect();
    FilesystemMount { r#type: kind.into(), source: source.into(), options }
}

fn options_of(point: &Path) -> String {
    output("findmnt", &["-n", "-o", "VFS-OPTIONS,PROPAGATION", "--mountpoint", &text(point)])
}

#[test]
fn the_kernels_abilities_are_told() {
    let mut agent = Agent::start();
    let info: InfoResponse = agent.call("Info", &InfoRequest {});
    assert_eq!((info.pid, info.version.as_str()), (agent.process.id().cast_signed(), env!("CARGO_PKG_VERSION")));
    assert!(info.idmapped_mounts);
    assert!(["legacy", "hybrid", "unified"].contains(&info.cgroup_mode.as_str()));
}

#[test]
fn filesystems_and_binds_are_mounted_with_their_options_and_unmounted() {
    let scratch = Scratch::new();
    let mut agent = Agent::start();
    let (tmp, bound) = (scratch.mkdir("tmp"), scratch.mkdir("bound"));
    agent.mount(fs_mount("tmpfs", "shm", &["nosuid", "nodev", "noexec", "mode=1700", "size=64k"]), &tmp);
    assert_eq!(fs::metadata(&tmp).unwrap().mode() & 0o7777, 0o1700);
    fs::write(tmp.join("file"), "x").unwrap();
    agent.mount(fs_mount("bind", &text(&tmp), &["rbind", "ro", "rslave"]), &bound);
    assert!(fs::write(bound.join("file"), "").is_err());
    let options = options_of(&bound);
    for word in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(options.split([',', ' ']).any(|option| option == word), "{word}: {options}");
    }
    for target in [&bound, &tmp, &bound, &scratch.path("absent")] {
        agent.unmount(target);
    }
    assert!(mounts_below(&scratch.path("")).is_empty());
}

#[test]
fn unmount_takes_what_is_stacked_and_what_is_below() {
    let scratch = Scratch::new();
    let mut agent = Agent::start();
    let rootfs = scratch.mkdir("bundle/root fs");
    let tmpfs = || fs_mount("tmpfs", "tmpfs", &[]);
    agent.mount(tmpfs(), &rootfs);
    agent.mount(tmpfs(), &rootfs);
    fs::create_dir(rootfs.join("sub")).unwrap();
    agent.mount(tmpfs(), &rootfs.join("sub"));
    symlink(".", scratch.path("link")).unwrap();
    agent.unmount(&scratch.path("link/bundle"));
    assert!(mounts_below(&scratch.path("")).is_empty());
}

#[test]
fn refused_mounts_name_what_is_wrong() {
    let scratch = Scratch::new();
    let mut agent = Agent::start();
    let target = scratch.mkdir("target");
    let mut attempt = |mount, target: &Path| {
        agent.try_call::<_, Empty>("Mount", &MountRequest { mount: Some(mount), target: text(target) })
    };
    assert_fails(attempt(fs_mount("nofs", "x", &[]), &target), Code::Internal, "nofs from x");
    assert_fails(attempt(fs_mount("tmpfs", "t", &["bogus=1"]), &target), Code::Internal, "tmpfs");
    assert_fails(attempt(fs_mount("tmpfs", "t", &[]), &scratch.path("absent")), Code::NotFound, "absent");
    assert_fails(attempt(fs_mount("bind", "/no/source", &["bind"]), &target), Code::NotFound, "/no/source");
    assert!(mounts_below(&target).is_empty());
    let root = agent.try_call::<_, Empty>("Unmount", &UnmountRequest { target: "//".into() });
    assert_fails(root, Code::InvalidArgument, "root");
}

/// An overlay of so many layers with names so long that mount(2) could not take them.
fn tall_overlay(scratch: &Scratch, layers: usize, name_length: usize) -> FilesystemMount {
    let dir = |index: usize| scratch.path(&format!("{index:0name_length$}"));
    for index in 0..layers {
        fs::create_dir_all(dir(index).join("shared")).unwrap();
        fs::write(dir(index).join(format!("file{index}")), index.to_string()).unwrap();
        fs::write(dir(index).join("shared/top"), index.to_string()).unwrap();
    }
    let lower: Vec<String> = (1..layers).map(|index| text(&dir(index))).collect();
    let work = text(&scratch.mkdir("work"));
    let options =
        [format!("workdir={work}"), format!("upperdir={}", text(&dir(0))), format!("lowerdir={}", lower.join(":"))];
    FilesystemMount { r#type: "overlay".into(), source: "overlay".into(), options: options.to_vec() }
}

#[test]
fn an_overlay_may_have_more_layers_than_fit_a_page() {
    for (layers, name_length) in [(3, 10), (60, 100), (20, 250)] {
        let scratch = Scratch::new();
        let mut agent = Agent::start();
        let mount = tall_overlay(&scratch, layers, name_length);
        let target = scratch.mkdir("merged");
        agent.mount(mount, &target);
        assert_eq!(fs::read_to_string(target.join("shared/top")).unwrap(), "0");
        assert_eq!(fs::read_dir(&target).unwrap().count(), layers + 1);
        fs::write(target.join("new"), "").unwrap();
        agent.unmount(&target);
    }
}

#[test]
fn files_of_a_snapshot_are_read_as_inside_of_it() {
    let scratch = Scratch::new();
    let mut agent = Agent::start();
    let mount = tall_overlay(&scratch, 60, 100);
    let upper = scratch.path(&"0".repeat(100));
    symlink("/../../../../shared/../file7", upper.join("link")).unwrap();
    symlink("/proc/self/root/etc/passwd", upper.join("magic")).unwrap();
    symlink("loop", upper.join("loop")).unwrap();
    output("mkfifo", &[&text(&upper.join("pipe"))]);
    fs::write(upper.join("big"), [vec![b'a'; 1 << 20], vec![b'z']].concat()).unwrap();
    let mut read = |mount: &FilesystemMount, paths: &[&str], offset| {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        let request = ReadSnapshotFilesRequest { mounts: vec![mount.clone()], paths, offset };
        agent.try_call::<_, ReadSnapshotFilesResponse>("ReadSnapshotFiles", &request)
    };
    let paths = ["/file59", "link", "magic", "loop", "pipe", "/shared", "absent", "file3/x"];
    let files = read(&mount, &paths, 0).unwrap().files;
    let found: Vec<Option<&str>> =
        files.iter().map(|file| file.found.then(|| std::str::from_utf8(&file.content).unwrap())).collect();
    assert_eq!(found, [Some("59"), Some("7"), None, None, None, None, None, None]);
    for (offset, length) in [(0, 1 << 20), (1, 1 << 20), (1 << 20, 1), ((1 << 20) + 1, 0)] {
        let big = read(&mount, &["big"], offset).unwrap().files.remove(0);
        assert_eq!((big.content.len(), big.size), (length, (1 << 20) + 1), "{offset}");
    }
    assert_eq!(read(&mount, &["big"], 1 << 20).unwrap().files[0].content, b"z");
    let bind = fs_mount("bind", &text(&upper), &["rbind", "ro"]);
    assert_eq!(read(&bind, &["/file0"], 0).unwrap().files[0].content, b"0");
    let single = fs_mount("overlay", "overlay", &[&format!("lowerdir={}", text(&upper))]);
    assert_eq!(read(&single, &["/file0"], 0).unwrap().files[0].content, b"0");
    assert!(mounts_below(&scratch.path("")).is_empty());
}

#[test]
fn paths_are_resolved_as_inside_of_a_snapshot() {
    let scratch = Scratch::new();
    let mut agent = Agent::start();
    let mount = tall_overlay(&scratch, 3, 10);
    let upper = scratch.path("0000000000");
    fs::create_dir_all(upper.join("data/sub")).unwrap();
    for (name, target) in [("a", "/data"), ("b", "a/sub"), ("up", "../../../../data/./.."), ("gone", "/proc/self/x")] {
        symlink(target, upper.join(name)).unwrap();
    }
    symlink("loop", upper.join("loop")).unwrap();
    let mut resolve = |paths: &[&str]| {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        let request = ResolveInSnapshotRequest { mounts: vec![mount.clone()], paths };
        agent.try_call::<_, ResolveInSnapshotResponse>("ResolveInSnapshot", &request)
    };
    let paths = ["/", "data/", "/a", "/b/../x", "/up/b/new/y", "/../../etc", "/gone", "/gone/z", "/file0/x"];
    let real =
        ["/", "/data", "/data", "/data/x", "/data/sub/new/y", "/etc", "/proc/self/x", "/proc/self/x/z", "/file0/x"];
    assert_eq!(resolve(&paths).unwrap().paths, real);
    assert_fails(resolve(&["/loop"]), Code::InvalidArgument, "/loop");
}

#[test]
fn a_directory_of_a_snapshot_is_copied() {
    let scratch = Scratch::new();
    let mut agent = Agent::start();
    let mount = tall_overlay(&scratch, 3, 10);
    let shared = scratch.path("0000000000/shared");
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o2750)).unwrap();
    std::os::unix::fs::chown(shared.join("top"), Some(12), Some(34)).unwrap();
    let target = scratch.mkdir("volume");
    let mut copy = |path: &str, target: &Path| {
        let request = CopySnapshotTreeRequest { mounts: vec![mount.clone()], path: path.into(), target: text(target) };
        agent.try_call::<_, Empty>("CopySnapshotTree", &request)
    };
    copy("/absent", &target).unwrap();
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
    copy("/shared", &target).unwrap();
    assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, 0o2750);
    let top = fs::metadata(target.join("top")).unwrap();
    assert_eq!((top.uid(), top.gid(), top.size()), (12, 34, 1));
    assert_fails(copy("/shared", &target), Code::Internal, "volume");
    assert_fails(copy("/file0", &target), Code::InvalidArgument, "/file0");
}

fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn a_layer_is_unpacked_measured_and_removed() {
    let scratch = Scratch::new();
    let mut agent = Agent::start();
    let dir = scratch.mkdir("layer");
    let tar = tar_of(&[("etc/passwd", b"root"), ("bin/sh", &[7; 100_000])]);
    let unpacked = agent.unpack(&tar, &scratch, &dir).unwrap();
    assert_eq!((unpacked.bytes, unpacked.inodes), (tar.len() as u64, 5));
    assert_eq!(unpacked.micros.keys().collect::<Vec<_>>(), ["decompress", "hash", "sync", "write"]);
    let request = DiskUsageRequest { paths: vec![text(&dir), text(&scratch.path("absent"))] };
    let measured: DiskUsageResponse = agent.call("DiskUsage", &request);
    let usage: Vec<(u64, u64)> = measured.usage.iter().map(|usage| (usage.bytes, usage.inodes)).collect();
    assert_eq!(usage, [(unpacked.disk_bytes, 5), (0, 0)]);
    for _ in 0..2 {
        let _: Empty = agent.call("RemoveTree", &RemoveTreeRequest { path: text(&dir) });
        assert!(!dir.exists());
    }
    let root = agent.try_call::<_, Empty>("RemoveTree", &RemoveTreeRequest { path: "/".into() });
    assert_fails(root, Code::InvalidArgument, "root");
}

#[test]
fn a_hostile_layer_and_a_full_disk_are_told_apart_and_leave_nothing() {
    let scratch = Scratch::new();
    let mut agent = Agent::start();
    let dir = scratch.mkdir("layer");
    let hostile = tar_of(&[("fine", b""), ("../escaped", b"evil")]);
    assert_fails(agent.unpack(&hostile, &scratch, &dir), Code::InvalidArgument, "test-layer");
    assert!(!scratch.path("escaped").exists() && fs::read_dir(&dir).unwrap().count() == 0);
    agent.mount(fs_mount("tmpfs", "tmpfs", &["size=1m"]), &dir);
    let large = tar_of(&[("large", &[1; 3 << 20])]);
    let full = agent.unpack(&large, &scratch, &dir);
    assert_fails(full, Code::ResourceExhausted, "no space left on device");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    agent.unmount(&dir);
}
