use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, statfs};
use rustix::io::Errno;
use rustix::mount::mount_bind;
use ttrpc::{Code, Status};

use crate::failure;

/// What a pin can hold, named as in /proc/PID/ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Net,
    Ipc,
    Uts,
    User,
    Pid,
}

impl Kind {
    /// The order of release: the user namespace goes after those that it owns.
    pub const ALL: [Self; 5] = [Self::Net, Self::Ipc, Self::Uts, Self::Pid, Self::User];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::User => "user",
            Self::Pid => "pid",
        }
    }
}

/// A directory of pins.
pub struct Pins {
    dir: PathBuf,
}

const NSFS_MAGIC: i64 = 0x6e73_6673;

impl Pins {
    pub fn new(dir: &str) -> Self {
        Self { dir: dir.into() }
    }

    pub fn path(&self, kind: Kind) -> PathBuf {
        self.dir.join(kind.name())
    }

    /// Makes the directory, if it is not there.
    pub fn make_dir(&self) -> Result<(), Status> {
        let made = rustix::fs::mkdir(&self.dir, Mode::from_raw_mode(0o711));
        match made {
            Err(Errno::EXIST) => Ok(()),
            other => other.map_err(failure::on("mkdir", show(&self.dir))),
        }
    }

    /// Pins the namespace at a path of /proc.
    pub fn pin(&self, kind: Kind, namespace: &Path) -> Result<(), Status> {
        let pin = self.path(kind);
        if is_pinned(&pin) {
            let message = format!("{} is pinned already; release it first", pin.display());
            return Err(Status::new(Code::AlreadyExists, message));
        }
        let flags = OFlags::CREATE | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, &pin, flags, Mode::RUSR).map_err(failure::on("create", show(&pin)))?;
        mount_bind(namespace, &pin).map_err(failure::on("bind a namespace to", show(&pin)))
    }

    /// The inode that identifies the pinned namespace; `None` when nothing is pinned.
    pub fn inode(&self, kind: Kind) -> Option<u64> {
        let pin = self.path(kind);
        is_pinned(&pin).then(|| rustix::fs::stat(&pin).ok().map(|stat| stat.st_ino)).flatten()
    }

    /// Unpins everything and removes the directory, if nothing else is in it.
    pub fn release(&self) -> Result<(), Status> {
        for kind in Kind::ALL {
            let pin = self.path(kind);
            mount::detach(&pin).map_err(failure::on("unmount", show(&pin)))?;
            absent_is_fine(fs::remove_file(&pin)).map_err(failure::io("remove", show(&pin)))?;
        }
        match rustix::fs::rmdir(&self.dir) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY) => Ok(()),
            Err(errno) => Err(failure::errno("rmdir", show(&self.dir), errno)),
        }
    }
}

fn is_pinned(pin: &Path) -> bool {
    statfs(pin).is_ok_and(|stat| stat.f_type == NSFS_MAGIC)
}

fn absent_is_fine(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
