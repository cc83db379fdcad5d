use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::Errno;
use ttrpc::Status;

use crate::proto::{CopySnapshotTreeRequest, Empty, ReadSnapshotFilesRequest, ReadSnapshotFilesResponse, SnapshotFile};
use crate::{failure, mounts};

const DEFAULT_MAX_BYTES: u32 = 1 << 20;
/// Links are followed as after a chroot, but never onto another mount or through /proc's magic ones.
const INSIDE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_XDEV);

/// Reads small files of a snapshot.
pub fn read_files(request: &ReadSnapshotFilesRequest) -> Result<ReadSnapshotFilesResponse, Status> {
    let root = mounts::root_of(&request.mounts)?;
    let max = if request.max_bytes == 0 { DEFAULT_MAX_BYTES } else { request.max_bytes };
    let files = request.paths.iter().map(|path| read_file(&root, path, max)).collect::<Result<_, _>>()?;
    Ok(ReadSnapshotFilesResponse { files })
}

fn read_file(root: &OwnedFd, path: &str, max: u32) -> Result<SnapshotFile, Status> {
    let failed = |errno| failure::errno("read from the snapshot", path, errno);
    let Some(file) = open_file(root, path).map_err(failed)? else {
        return Ok(SnapshotFile::default());
    };
    let mut content = Vec::new();
    let read = file.take(u64::from(max) + 1).read_to_end(&mut content);
    read.map_err(failure::io("read from the snapshot", path))?;
    if content.len() > max as usize {
        return Err(failure::invalid(format!("{path} of the snapshot is larger than {max} bytes")));
    }
    Ok(SnapshotFile { found: true, content })
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
