use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2, readlinkat};
use rustix::io::Errno;
use ttrpc::Status;

use crate::proto::{
    CopySnapshotTreeRequest, Empty, ReadSnapshotFilesRequest, ReadSnapshotFilesResponse, ResolveInSnapshotRequest,
    ResolveInSnapshotResponse, SnapshotFile,
};
use crate::{failure, mounts};

/// What is read of a file at once.
const MAX_BYTES: u64 = 1 << 20;
/// Links are followed as after a chroot, but never onto another mount or through /proc's magic ones.
const INSIDE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_XDEV);

/// As the kernel's limit on links in one path.
const MAX_LINKS: usize = 40;

/// Reads files of a snapshot, or pieces of them.
pub fn read_files(request: &ReadSnapshotFilesRequest) -> Result<ReadSnapshotFilesResponse, Status> {
    let root = mounts::root_of(&request.mounts)?;
    let read = |path: &String| read_file(&root, path, request.offset);
    let files = request.paths.iter().map(read).collect::<Result<_, _>>()?;
    Ok(ReadSnapshotFilesResponse { files })
}

fn read_file(root: &OwnedFd, path: &str, offset: u64) -> Result<SnapshotFile, Status> {
    let failed = |errno| failure::errno("read from the snapshot", path, errno);
    let Some(mut file) = open_file(root, path).map_err(failed)? else {
        return Ok(SnapshotFile::default());
    };
    let size = u64::try_from(fstat(&file).map_err(failed)?.st_size).unwrap_or(0);
    let mut content = Vec::new();
    let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.take(MAX_BYTES).read_to_end(&mut content));
    read.map_err(failure::io("read from the snapshot", path))?;
    Ok(SnapshotFile { found: true, content, size })
}

/// Where paths lead in a snapshot.
pub fn resolve(request: &ResolveInSnapshotRequest) -> Result<ResolveInSnapshotResponse, Status> {
    let root = mounts::root_of(&request.mounts)?;
    let paths = request.paths.iter().map(|path| real_path(&root, path)).collect::<Result<_, _>>()?;
    Ok(ResolveInSnapshotResponse { paths })
}

/// One name at a time, as the kernel walks; only the text of links is taken from it.
fn real_path(root: &OwnedFd, path: &str) -> Result<String, Status> {
    let names = |path: &str| path.split('/').rev().map(str::to_owned).collect::<Vec<_>>();
    let (mut todo, mut done, mut links) = (names(path), Vec::new(), 0);
    while let Some(name) = todo.pop() {
        match name.as_str() {
            "" | "." => continue,
            ".." => drop(done.pop()),
            _ => done.push(name),
        }
        let here = done.join("/");
        let target = link_target(root, &here).map_err(failure::on("look at in the snapshot", &here))?;
        let Some(target) = target else { continue };
        links += 1;
        if links > MAX_LINKS {
            return Err(failure::invalid(format!("{path} of the snapshot leads through too many links")));
        }
        done.pop();
        if target.starts_with('/') {
            done.clear();
        }
        todo.extend(names(&target));
    }
    Ok(format!("/{}", done.join("/")))
}

/// `None` for what is absent or no link.
fn link_target(root: &OwnedFd, path: &str) -> rustix::io::Result<Option<String>> {
    if path.is_empty() {
        return Ok(None);
    }
    let node = match open_inside(root, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::XDEV) => return Ok(None),
        other => other?,
    };
    if FileType::from_raw_mode(fstat(&node)?.st_mode) != FileType::Symlink {
        return Ok(None);
    }
    let target = readlinkat(&node, "", Vec::new())?;
    target.into_string().map(Some).map_err(|_| Errno::ILSEQ)
}

/// `None` for what is absent or no regular file. Looked at before it is opened: opening a pipe waits, opening a device
/// acts.
fn open_file(root: &OwnedFd, path: &str) -> rustix::io::Result<Option<File>> {
    let node = match open_inside(root, path, OFlags::PATH | OFlags::CLOEXEC) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => return Ok(None),
        other => other?,
    };
    if FileType::from_raw_mode(fstat(&node)?.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let link = format!("/proc/self/fd/{}", node.as_raw_fd());
    open(link, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map(|file| Some(file.into()))
}

/// The kernel gives up with `EAGAIN` when anything on the machine is renamed or mounted while it climbs a `..`.
fn open_inside(root: &OwnedFd, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    const ATTEMPTS: usize = 100;
    for _ in 1..ATTEMPTS {
        match openat2(root, path, flags, Mode::empty(), INSIDE) {
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
    openat2(root, path, flags, Mode::empty(), INSIDE)
}

/// Copies a directory of a snapshot into an empty one.
pub fn copy_tree(request: &CopySnapshotTreeRequest) -> Result<Empty, Status> {
    let CopySnapshotTreeRequest { mounts, path, target } = request;
    failure::absolute("target", target)?;
    let root = mounts::root_of(mounts)?;
    let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let source = match open_inside(&root, path, directory) {
        Err(Errno::NOENT) => return Ok(Empty {}),
        Err(Errno::NOTDIR) => return Err(failure::invalid(format!("{path} of the snapshot is not a directory"))),
        other => other.map_err(failure::on("open in the snapshot", path))?,
    };
    check_empty(target)?;
    let copy = open(target.as_str(), directory | OFlags::NOFOLLOW, Mode::empty());
    let copy = copy.map_err(failure::on("open", target))?;
    let work = format!("copying {path} of the snapshot to {target}");
    layer::copy_tree(source, copy).map_err(|error| failure::layer(&work, &error))?;
    Ok(Empty {})
}

fn check_empty(target: &str) -> Result<(), Status> {
    let mut entries = std::fs::read_dir(target).map_err(failure::io("open", target))?;
    if entries.next().is_some() {
        return Err(failure::errno("copy into", target, Errno::NOTEMPTY));
    }
    Ok(())
}
