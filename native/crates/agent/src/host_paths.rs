//! Paths of the host that a client named. What is read here may never come, so nobody else waits for this thread.

use std::fs::{self, DirBuilder, File, FileType, Metadata};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags, major, minor, open, statx};
use ttrpc::Status;

use crate::failure;
use crate::proto::{HostDevice, LookAtPathRequest, LookAtPathResponse};

/// What a container gets from mounts of its own or makes itself, and where LXC (whole kernel file systems) and udev keep
/// things of their own.
const NOT_PASSED: [&str; 9] = ["pts", "shm", "fd", "mqueue", "console", "ptmx", ".lxc", ".lxd-mounts", ".udev"];

/// Where the path leads, and what is there.
pub fn look_at(request: &LookAtPathRequest) -> Result<LookAtPathResponse, Status> {
    failure::absolute("path", &request.path)?;
    Ok(look(request).unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => LookAtPathResponse::default(),
        _ => LookAtPathResponse { problem: error.to_string(), ..Default::default() },
    }))
}

fn look(request: &LookAtPathRequest) -> io::Result<LookAtPathResponse> {
    let real = follow(request)?;
    let held = open(&real, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    // A server that hangs is not noticed by what the kernel remembers of its files.
    statx(&held, c"", AtFlags::EMPTY_PATH | AtFlags::STATX_FORCE_SYNC, StatxFlags::BASIC_STATS)?;
    let found = fs::metadata(through(&held))?;
    let path = real.to_str().ok_or_else(|| io::Error::other("the path leads to one that is not UTF-8"))?;
    let content = if found.is_file() { begin_of(&held, request.max_bytes)? } else { Vec::new() };
    let devices = if request.devices { devices_at(&real, &found)? } else { Vec::new() };
    let kind = kind_of(found.file_type()).to_owned();
    Ok(LookAtPathResponse { path: path.to_owned(), problem: String::new(), kind, content, devices })
}

fn follow(request: &LookAtPathRequest) -> io::Result<PathBuf> {
    match fs::canonicalize(&request.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && request.make_directory => {
            DirBuilder::new().recursive(true).mode(0o755).create(&request.path)?;
            fs::canonicalize(&request.path)
        }
        followed => followed,
    }
}

/// The file that is held, whatever its path leads to by now.
fn through(held: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", held.as_raw_fd())
}

fn begin_of(held: &OwnedFd, max_bytes: u32) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    if max_bytes > 0 {
        File::open(through(held))?.take(u64::from(max_bytes)).read_to_end(&mut content)?;
    }
    Ok(content)
}

fn is_device(kind: FileType) -> bool {
    kind.is_char_device() || kind.is_block_device()
}

fn kind_of(kind: FileType) -> &'static str {
    match kind {
        _ if kind.is_file() => "file",
        _ if kind.is_dir() => "directory",
        _ if is_device(kind) => "device",
        _ => "other",
    }
}

fn devices_at(path: &Path, found: &Metadata) -> io::Result<Vec<HostDevice>> {
    let mut devices = Vec::new();
    if found.is_dir() {
        add_devices_below(path, "", &mut devices)?;
    } else if is_device(found.file_type()) {
        devices.push(device(String::new(), found));
    }
    Ok(devices)
}

fn add_devices_below(directory: &Path, below: &str, devices: &mut Vec<HostDevice>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (kind, name) = (entry.file_type()?, entry.file_name());
        // A device whose name is no text cannot be asked for.
        let Some(name) = name.to_str().filter(|name| !NOT_PASSED.contains(name)) else { continue };
        let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if kind.is_dir() {
            add_devices_below(&entry.path(), &path, devices)?;
        } else if is_device(kind) {
            // One that is unplugged meanwhile is not there.
            devices.extend(entry.metadata().ok().map(|found| device(path, &found)));
        }
    }
    Ok(())
}

fn device(path: String, found: &Metadata) -> HostDevice {
    HostDevice {
        path,
        block: found.file_type().is_block_device(),
        major: major(found.rdev()),
        minor: minor(found.rdev()),
        mode: found.permissions().mode() & 0o777,
        uid: found.uid(),
        gid: found.gid(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("berth-paths-{name}-{}", std::process::id()));
        fs::create_dir(&dir).expect("made");
        fs::canonicalize(dir).expect("real")
    }

    fn asked(path: &Path) -> LookAtPathRequest {
        LookAtPathRequest { path: path.to_str().expect("text").to_owned(), ..Default::default() }
    }

    #[test]
    fn links_are_followed_and_what_is_missing_is_made_only_when_asked() {
        let dir = scratch("links");
        symlink(&dir, dir.join("link")).expect("linked");
        let missing = asked(&dir.join("link/a/b"));
        assert_eq!(look_at(&missing).expect("looked"), LookAtPathResponse::default());
        let made = look_at(&LookAtPathRequest { make_directory: true, ..missing }).expect("looked");
        assert_eq!((Path::new(&made.path), made.kind.as_str()), (dir.join("a/b").as_path(), "directory"));
        assert_eq!(fs::metadata(dir.join("a")).expect("made").permissions().mode() & 0o777, 0o755);
        fs::remove_dir_all(dir).expect("removed");
    }

    #[test]
    fn what_cannot_be_followed_is_told_and_not_made() {
        let dir = scratch("problems");
        fs::write(dir.join("file"), "text").expect("written");
        symlink("loop", dir.join("loop")).expect("linked");
        symlink("nowhere", dir.join("dangling")).expect("linked");
        for (name, problem) in
            [("file/sub", "Not a directory"), ("loop", "symbolic links"), ("dangling", "File exists")]
        {
            let request = LookAtPathRequest { make_directory: true, ..asked(&dir.join(name)) };
            let answer = look_at(&request).expect("looked");
            assert!(answer.problem.contains(problem) && answer.path.is_empty(), "{name}: {answer:?}");
        }
        assert!(!dir.join("nowhere").exists());
        fs::remove_dir_all(dir).expect("removed");
    }

    #[test]
    fn content_is_read_of_regular_files_alone_and_not_beyond_the_limit() {
        let dir = scratch("content");
        fs::write(dir.join("file"), "0123456789").expect("written");
        rustix::fs::mknodat(rustix::fs::CWD, dir.join("fifo"), rustix::fs::FileType::Fifo, Mode::RUSR, 0)
            .expect("made");
        let read = |name: &str| look_at(&LookAtPathRequest { max_bytes: 4, ..asked(&dir.join(name)) }).expect("looked");
        assert_eq!((read("file").kind.as_str(), read("file").content.as_slice()), ("file", b"0123".as_slice()));
        assert_eq!((read("fifo").kind.as_str(), read("fifo").content.len()), ("other", 0));
        fs::remove_dir_all(dir).expect("removed");
    }

    #[test]
    fn devices_are_listed_with_their_numbers_and_without_what_a_container_has_of_its_own() {
        let devices = |path: &str| {
            look_at(&LookAtPathRequest { devices: true, ..asked(Path::new(path)) }).expect("looked").devices
        };
        let null = devices("/dev/null");
        assert_eq!((null.len(), null[0].path.as_str(), null[0].major, null[0].minor), (1, "", 1, 3));
        let all = devices("/dev");
        assert!(all.iter().any(|device| device.path == "null" && device.minor == 3 && !device.block));
        assert!(all.iter().all(|device| !device.path.starts_with("pts/") && device.path != "ptmx"));
    }
}
