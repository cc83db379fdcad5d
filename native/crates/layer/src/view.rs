//! The directory that a layer is unpacked into, seen together with the layers below it.
//!
//! All walks are made one component at a time or with `RESOLVE_NO_SYMLINKS`, from descriptors below the root. Symlinks are
//! followed here, by text, the way a process chrooted into the finished image would: a layer that carries `lib/x` above
//! one where `lib` links to `usr/lib` means `usr/lib/x`.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::apply::meta;
use crate::error::{Context, LayerError, Result, invalid, show};
use crate::path::{PATH_MAX, join, split};

pub(crate) const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const NODE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// The kernel's own limit on symlinks in one walk.
const MAX_LINKS: usize = 40;
/// Links that point at long paths multiply; no real image needs more.
const MAX_STEPS: usize = 4096;

/// A directory of the layer, found or made.
#[derive(Clone)]
pub(crate) struct Place {
    pub dir: Rc<OwnedFd>,
    /// Where it really is, relative to the root and free of symlinks.
    pub path: Vec<u8>,
}

pub(crate) struct View {
    root: Rc<OwnedFd>,
    parents: Vec<OwnedFd>,
    /// The last directory asked for: archives list a directory's files together.
    recent: Option<(Vec<u8>, Place)>,
    /// Directories made on the way to an entry, for the caller's count and times.
    made: Vec<(Vec<u8>, Option<Stat>)>,
}

/// A node of the layers below.
struct Below {
    node: OwnedFd,
    stat: Stat,
}

enum Found {
    Directory,
    Symlink(Vec<u8>),
    Whiteout,
    Absent,
    Other,
}

/// The state of one walk: names still to take, names taken.
struct Walk {
    todo: VecDeque<Vec<u8>>,
    done: Vec<u8>,
    /// The directory at `done`.
    here: OwnedFd,
    /// Length of `done` at the outermost opaque directory passed: it hides what the layers below have in it.
    opaque: Option<usize>,
    links: usize,
    steps: usize,
}

impl View {
    pub fn open(dir: &std::path::Path, parents: &[std::path::PathBuf]) -> Result<Self> {
        let open = |path: &std::path::Path| {
            let bytes = path.as_os_str().as_encoded_bytes();
            fs::open(path, DIRECTORY, Mode::empty()).at("open directory", bytes)
        };
        Ok(Self {
            root: Rc::new(open(dir)?),
            parents: parents.iter().map(|path| open(path)).collect::<Result<_>>()?,
            recent: None,
            made: Vec::new(),
        })
    }

    pub fn root(&self) -> Place {
        Place { dir: self.root.clone(), path: Vec::new() }
    }

    /// The topmost layer below, if any.
    pub fn top_parent(&self) -> Option<&OwnedFd> {
        self.parents.first()
    }

    /// The directory at a clean path, made with its attributes from the layers below where the layer lacks it.
    pub fn directory(&mut self, path: &[u8]) -> Result<Place> {
        if path.is_empty() {
            return Ok(self.root());
        }
        if let Some((recent, place)) = &self.recent
            && recent == path
        {
            return Ok(place.clone());
        }
        let place = match self.open_directory(path) {
            Ok(dir) => Place { dir: Rc::new(dir), path: path.to_vec() },
            Err(_) => self.walk(path)?,
        };
        self.recent = Some((path.to_vec(), place.clone()));
        Ok(place)
    }

    /// To be called when a directory of the layer was removed.
    pub fn forget_recent(&mut self) {
        self.recent = None;
    }

    /// Takes the directories made since the last call; each with the attributes it was made after.
    pub fn take_made(&mut self) -> Vec<(Vec<u8>, Option<Stat>)> {
        std::mem::take(&mut self.made)
    }

    pub fn open_directory(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        if path.is_empty() {
            return fs::openat(&*self.root, c".", DIRECTORY, Mode::empty());
        }
        fs::openat2(&*self.root, path, DIRECTORY, Mode::empty(), BENEATH)
    }

    /// The node at a resolved path in the layers below, as they merge.
    pub fn below(&self, path: &[u8]) -> Result<Option<(OwnedFd, Stat)>> {
        Ok(self.find_below(path)?.map(|below| (below.node, below.stat)))
    }

    fn walk(&mut self, path: &[u8]) -> Result<Place> {
        let mut walk = Walk {
            todo: path.split(|&byte| byte == b'/').map(<[u8]>::to_vec).collect(),
            done: Vec::new(),
            here: self.open_directory(b"").at("open directory", b"")?,
            opaque: None,
            links: 0,
            steps: 0,
        };
        while let Some(name) = walk.todo.pop_front() {
            self.step(&mut walk, &name).map_err(|error| about(path, error))?;
        }
        Ok(Place { dir: Rc::new(walk.here), path: walk.done })
    }

    fn step(&mut self, walk: &mut Walk, name: &[u8]) -> Result<()> {
        walk.count_step()?;
        match name {
            b"" | b"." => return Ok(()),
            b".." => {
                let parent = split(&walk.done).0.to_vec();
                return walk.restart_at(self, parent);
            }
            _ => {}
        }
        if walk.opaque.is_none() && meta::is_opaque(&walk.here) {
            walk.opaque = Some(walk.done.len());
        }
        let path = join(&walk.done, name);
        match find(&walk.here, name)? {
            Found::Directory => {}
            Found::Symlink(target) => return walk.follow(self, &target),
            Found::Other => return invalid(format!("{} is not a directory", show(&path))),
            Found::Whiteout => self.replace_whiteout(walk, &path)?,
            Found::Absent => {
                let below = if walk.opaque.is_some() { None } else { self.find_below(&path)? };
                if let Some(target) = below.as_ref().and_then(Below::link_target) {
                    return walk.follow(self, &target);
                }
                self.make(walk, &path, below.filter(Below::is_directory))?;
            }
        }
        walk.enter(path, name)
    }

    /// A directory where the layer deleted something: what is below stays deleted.
    fn replace_whiteout(&mut self, walk: &Walk, path: &[u8]) -> Result<()> {
        fs::unlinkat(&walk.here, split(path).1, AtFlags::empty()).at("unlink", path)?;
        self.make(walk, path, None)?;
        let made = self.open_directory(path).at("open directory", path)?;
        meta::set_opaque(&made, path)
    }

    fn make(&mut self, walk: &Walk, path: &[u8], like: Option<Below>) -> Result<()> {
        if path.len() > PATH_MAX {
            return invalid(format!("{} is too long a path", show(path)));
        }
        fs::mkdirat(&walk.here, split(path).1, Mode::from_raw_mode(0o755)).at("mkdir", path)?;
        let made = self.open_directory(path).at("open directory", path)?;
        match &like {
            Some(below) => meta::copy_directory(&below.node, &below.stat, &made, path)?,
            // The process's umask must not show in an image.
            None => fs::fchmod(&made, Mode::from_raw_mode(0o755)).at("chmod", path)?,
        }
        self.made.push((path.to_vec(), like.map(|below| below.stat)));
        Ok(())
    }

    /// Looks a resolved path up in the layers below, topmost first, honouring whiteouts and opaque directories.
    fn find_below(&self, path: &[u8]) -> Result<Option<Below>> {
        for parent in &self.parents {
            match find_in(parent, path).at("look up in a parent layer", path)? {
                InParent::Found(below) => return Ok(Some(below)),
                InParent::Hidden => return Ok(None),
                InParent::Absent => {}
            }
        }
        Ok(None)
    }
}

enum InParent {
    Found(Below),
    /// The layer says that the path exists neither in it nor below it.
    Hidden,
    Absent,
}

fn find_in(parent: &OwnedFd, path: &[u8]) -> rustix::io::Result<InParent> {
    let mut current = fs::openat(parent, c".", NODE, Mode::empty())?;
    let mut opaque = false;
    let mut names = path.split(|&byte| byte == b'/').peekable();
    while let Some(name) = names.next() {
        let node = match fs::openat2(&current, name, NODE, Mode::empty(), BENEATH) {
            Err(Errno::NOENT) if opaque => return Ok(InParent::Hidden),
            Err(Errno::NOENT) => return Ok(InParent::Absent),
            other => other?,
        };
        let stat = fs::fstat(&node)?;
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if meta::is_whiteout(&stat) || (names.peek().is_some() && !is_directory) {
            return Ok(InParent::Hidden);
        }
        if names.peek().is_none() {
            return Ok(InParent::Found(Below { node, stat }));
        }
        opaque |= meta::is_opaque(&fs::openat(&node, c".", DIRECTORY, Mode::empty())?);
        current = node;
    }
    Ok(InParent::Absent)
}

fn find(here: &OwnedFd, name: &[u8]) -> Result<Found> {
    let stat = match fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(Found::Absent),
        other => other.at("stat", name)?,
    };
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Found::Directory,
        FileType::Symlink => Found::Symlink(fs::readlinkat(here, name, Vec::new()).at("readlink", name)?.into_bytes()),
        _ if meta::is_whiteout(&stat) => Found::Whiteout,
        _ => Found::Other,
    })
}

impl Below {
    fn is_directory(&self) -> bool {
        FileType::from_raw_mode(self.stat.st_mode) == FileType::Directory
    }

    fn link_target(&self) -> Option<Vec<u8>> {
        let is_link = FileType::from_raw_mode(self.stat.st_mode) == FileType::Symlink;
        let target = is_link.then(|| fs::readlinkat(&self.node, c"", Vec::new()));
        target?.ok().map(std::ffi::CString::into_bytes)
    }
}

impl Walk {
    fn enter(&mut self, path: Vec<u8>, name: &[u8]) -> Result<()> {
        let next = fs::openat2(&self.here, name, DIRECTORY, Mode::empty(), BENEATH);
        self.here = next.at("open directory", &path)?;
        self.done = path;
        Ok(())
    }

    fn follow(&mut self, view: &View, target: &[u8]) -> Result<()> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return invalid("too many symbolic links");
        }
        for name in target.rsplit(|&byte| byte == b'/') {
            self.todo.push_front(name.to_vec());
        }
        if target.starts_with(b"/") {
            return self.restart_at(view, Vec::new());
        }
        Ok(())
    }

    fn restart_at(&mut self, view: &View, done: Vec<u8>) -> Result<()> {
        self.opaque = self.opaque.filter(|&length| length <= done.len());
        self.here = view.open_directory(&done).at("open directory", &done)?;
        self.done = done;
        Ok(())
    }

    fn count_step(&mut self) -> Result<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return invalid("its symbolic links lead through too many directories");
        }
        Ok(())
    }
}

/// Says for which entry a walk failed.
fn about(path: &[u8], error: LayerError) -> LayerError {
    match error {
        LayerError::Invalid(why) => LayerError::Invalid(format!("cannot enter {}: {why}", show(path))),
        other => other,
    }
}
