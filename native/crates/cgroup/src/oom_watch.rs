#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

use crate::paths::{MOUNT, below_mount};
use crate::{CgroupPaths, Table};

const NODE_COUNTERS: &str = "/proc/vmstat";

/// Counts the processes of a container that the OOM killer ended, also when its cgroup is gone before the count could be read:
/// systemd removes a scope as soon as the last process has ended, and with it every file that stood in it, opened or not.
///
/// What is left then: the kernel said that something happened to the cgroup's memory, before the killed process had its
/// signal, and a counter that outlives the cgroup went up since the last reading. On version 2 that is the one of the cgroup
/// above, which includes those below it, else the node's. Without such a word a kill somewhere else is nobody's of ours.
#[derive(Debug)]
pub struct OomWatch {
    outliving: Outliving,
    base: Counts,
    file: Option<PathBuf>,
    word: Option<Word>,
    /// The kernel spoke since the first reading. It holds back a second word within 10 ms, so this is never taken back.
    spoken: bool,
    kills: u64,
}

/// How the kernel tells that something happened to a cgroup's memory.
#[derive(Debug)]
enum Word {
    /// Version 1 counts each run of the OOM killer here, and the removal of the cgroup.
    Eventfd(OwnedFd),
    /// Of version 2's memory.events.
    Inotify(OwnedFd),
}

/// Where kills are counted that the container's cgroup is not needed for.
#[derive(Debug)]
struct Outliving {
    above: Option<PathBuf>,
    node: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    above: Option<u64>,
    node: u64,
}

impl OomWatch {
    /// Before the runtime makes the cgroup of this `linux.cgroupsPath`.
    #[must_use]
    pub fn before(spec_path: &str) -> Self {
        let dir = below_mount(spec_path).map(|path| Path::new(MOUNT).join(path));
        Self::with(Outliving {
            above: dir.and_then(|dir| Some(dir.parent()?.join("memory.events"))),
            node: NODE_COUNTERS.into(),
        })
    }

    fn with(outliving: Outliving) -> Self {
        let base = outliving.read();
        // Nobody listens yet: a container may be at its end before anybody does.
        Self { outliving, base, file: None, word: None, spoken: true, kills: 0 }
    }

    /// Listens to the cgroup from now on.
    pub fn begin(&mut self, paths: &CgroupPaths) {
        match paths {
            CgroupPaths::V1(dirs) => match dirs.get("memory") {
                Some(dir) => self.listen(dir.join("memory.oom_control"), Word::eventfd),
                None => self.spoken = false,
            },
            CgroupPaths::V2(dir) => self.listen(dir.join("memory.events"), Word::inotify),
        }
    }

    fn listen(&mut self, file: PathBuf, open: impl FnOnce(&Path) -> Option<Word>) {
        self.word = open(&file);
        self.file = Some(file);
        let base = self.outliving.read();
        if let Some(text) = self.text() {
            self.take(&text, base);
            // A word from before may hold the next one back.
            self.spoken = self.word.is_none() || is_near(&text);
        } else {
            // Nobody counts the memory of a cgroup that is there without the file.
            self.spoken = !self.file.as_deref().and_then(Path::parent).is_some_and(Path::exists);
        }
    }

    /// Readable when there is something to `note`.
    #[must_use]
    pub fn word(&self) -> Option<BorrowedFd<'_>> {
        self.word.as_ref().map(|(Word::Eventfd(fd) | Word::Inotify(fd))| fd.as_fd())
    }

    /// Takes what the kernel said, and reads while there is something to read.
    pub fn note(&mut self) {
        self.spoken |= self.word.as_ref().is_some_and(Word::is_spoken);
        // In this order: what the cgroup does not count yet must not be in the base already.
        let base = self.outliving.read();
        if let Some(text) = self.text() {
            self.take(&text, base);
        }
    }

    /// How many there were so far.
    pub fn kills(&mut self) -> u64 {
        self.note();
        let gone = self.text().is_none();
        if gone && self.spoken { self.kills + self.outliving.read().since(self.base) } else { self.kills }
    }

    fn take(&mut self, text: &str, base: Counts) {
        self.kills = Table::new(text.to_owned()).get("oom_kill");
        self.base = base;
    }

    fn text(&self) -> Option<String> {
        fs::read_to_string(self.file.as_ref()?).ok()
    }
}

impl Outliving {
    fn read(&self) -> Counts {
        let count = |file: &Path| Some(Table::new(fs::read_to_string(file).ok()?).get("oom_kill"));
        Counts { above: self.above.as_deref().and_then(count), node: count(&self.node).unwrap_or(0) }
    }
}

impl Counts {
    /// A cgroup above that was not there before began with nothing.
    fn since(self, base: Self) -> u64 {
        match self.above {
            Some(above) => above.saturating_sub(base.above.unwrap_or(0)),
            None => self.node.saturating_sub(base.node),
        }
    }
}

/// Whether version 2's memory.events tells of a step on the way to a kill.
fn is_near(text: &str) -> bool {
    let table = Table::new(text.to_owned());
    ["max", "oom", "oom_kill"].iter().any(|key| table.get(key) > 0)
}

impl Word {
    fn eventfd(counters: &Path) -> Option<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok()?;
        let file = File::open(counters).ok()?;
        let line = format!("{} {}", fd.as_raw_fd(), file.as_raw_fd());
        fs::write(counters.with_file_name("cgroup.event_control"), line).ok()?;
        Some(Self::Eventfd(fd))
    }

    fn inotify(counters: &Path) -> Option<Self> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        inotify::add_watch(&fd, counters, WatchFlags::MODIFY).ok()?;
        Some(Self::Inotify(fd))
    }

    /// Takes all that was said. Of the file's end, which says nothing, an inotify descriptor tells, too.
    fn is_spoken(&self) -> bool {
        match self {
            Self::Eventfd(fd) => rustix::io::read(fd, &mut [0; 8]).is_ok(),
            Self::Inotify(fd) => {
                let mut space = [MaybeUninit::uninit(); 1024];
                let mut reader = Reader::new(fd, &mut space);
                let said = std::iter::from_fn(|| reader.next().ok().map(|event| event.events()));
                said.filter(|events| events.contains(ReadFlags::MODIFY)).count() > 0
            }
        }
    }
}
