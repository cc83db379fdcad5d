//! The directory that a layer is unpacked into, seen together with the layers below it.
//!
//! All walks are made one component at a time or with `RESOLVE_NO_SYMLINKS`, from descriptors below the root. Symlinks are
//! followed here, by text, the way a process chrooted into the finished image would: a layer that carries `lib/x` above
//! one where `lib` links to `usr/lib` means `usr/lib/x`.

mod below;
mod beneath;
mod route;

pub(crate) use beneath::BENEATH;

use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::fs::{self, AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;

use crate::apply::meta;
use crate::error::{Context, LayerError, Result, invalid, show};
use crate::path::{PATH_MAX, join, split};
use below::{Below, Parents};
use beneath::DIRECTORY;
use route::Route;

/// A directory of the layer, found or made.
#[derive(Clone)]
pub(crate) struct Place {
    pub dir: Rc<OwnedFd>,
    /// Where it really is, relative to the root and free of symlinks.
    pub path: Vec<u8>,
}

pub(crate) struct View {
    root: Rc<OwnedFd>,
    parents: Parents,
    /// The last directory asked for: archives list a directory's files together.
    recent: Option<(Vec<u8>, Place)>,
    /// Directories made on the way to an entry, for the caller's count and times.
    made: Vec<(Vec<u8>, Option<Stat>)>,
}

enum Found {
    Directory,
    Symlink(Vec<u8>),
    Whiteout,
    Absent,
    Other,
}

impl View {
    pub fn open(dir: &std::path::Path, parents: &[std::path::PathBuf]) -> Result<Self> {
        let open = |path: &std::path::Path| {
            let bytes = path.as_os_str().as_encoded_bytes();
            fs::open(path, DIRECTORY, Mode::empty()).at("open directory", bytes)
        };
        Ok(Self {
            root: Rc::new(open(dir)?),
            parents: Parents::new(parents.iter().map(|path| open(path)).collect::<Result<_>>()?),
            recent: None,
            made: Vec::new(),
        })
    }

    pub fn root(&self) -> Place {
        Place { dir: self.root.clone(), path: Vec::new() }
    }

    /// The topmost layer below, if any.
    pub fn top_parent(&self) -> Option<&OwnedFd> {
        self.parents.top()
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

    /// To be called when a directory of the layer was removed, or a symlink that may have led to one.
    pub fn forget_recent(&mut self) {
        self.recent = None;
    }

    /// Takes the directories made since the last call; each with the attributes it was made after.
    pub fn take_made(&mut self) -> Vec<(Vec<u8>, Option<Stat>)> {
        std::mem::take(&mut self.made)
    }

    pub fn open_directory(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        beneath::open_directory(&self.root, path)
    }

    /// The node at a resolved path in the layers below, as they merge.
    pub fn below(&self, path: &[u8]) -> Result<Option<(OwnedFd, Stat)>> {
        Ok(self.parents.find(path)?.map(|below| (below.node, below.stat)))
    }

    fn walk(&mut self, path: &[u8]) -> Result<Place> {
        let mut route = Route::new(path, self.root.clone())?;
        while let Some(name) = route.todo.pop_front() {
            self.step(&mut route, &name).map_err(|error| about(path, error))?;
        }
        Ok(Place { dir: Rc::new(route.here), path: route.done })
    }

    fn step(&mut self, route: &mut Route, name: &[u8]) -> Result<()> {
        route.count_step()?;
        match name {
            b"" | b"." => return Ok(()),
            b".." => {
                let parent = split(&route.done).0.to_vec();
                return route.restart_at(parent);
            }
            _ => {}
        }
        if route.opaque.is_none() && meta::is_opaque(&route.here) {
            route.opaque = Some(route.done.len());
        }
        let path = join(&route.done, name);
        match find(&route.here, name)? {
            Found::Directory => {}
            Found::Symlink(target) => return route.follow(&target),
            Found::Other => return invalid(format!("{} is not a directory", show(&path))),
            Found::Whiteout => self.replace_whiteout(route, &path)?,
            Found::Absent => {
                let below = if route.opaque.is_some() { None } else { self.parents.find(&path)? };
                if let Some(target) = below.as_ref().and_then(Below::link_target) {
                    return route.follow(&target);
                }
                self.make(route, &path, below.filter(Below::is_directory))?;
            }
        }
        route.enter(path, name)
    }

    /// A directory where the layer deleted something: what is below stays deleted.
    fn replace_whiteout(&mut self, route: &Route, path: &[u8]) -> Result<()> {
        fs::unlinkat(&route.here, split(path).1, AtFlags::empty()).at("unlink", path)?;
        self.make(route, path, None)?;
        let made = self.open_directory(path).at("open directory", path)?;
        meta::set_opaque(&made, path)
    }

    fn make(&mut self, route: &Route, path: &[u8], like: Option<Below>) -> Result<()> {
        if path.len() > PATH_MAX {
            return invalid(format!("{} is too long a path", show(path)));
        }
        fs::mkdirat(&route.here, split(path).1, Mode::from_raw_mode(0o755)).at("mkdir", path)?;
        let made = self.open_directory(path).at("open directory", path)?;
        match &like {
            Some(below) => meta::copy_directory(&below.node, &below.stat, &made, path)?,
            // The process's umask must not show in an image.
            None => fs::fchmod(&made, Mode::from_raw_mode(0o755)).at("chmod", path)?,
        }
        self.made.push((path.to_vec(), like.map(|below| below.stat)));
        Ok(())
    }
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

/// Says for which entry a walk failed.
fn about(path: &[u8], error: LayerError) -> LayerError {
    match error {
        LayerError::Invalid(why) => LayerError::Invalid(format!("cannot enter {}: {why}", show(path))),
        other => other,
    }
}
