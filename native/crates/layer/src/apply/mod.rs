//! Archive entries become files of the layer directory.

mod file;
mod link;
pub(crate) mod meta;

use std::collections::HashMap;
use std::os::fd::AsFd;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Timespec};
use rustix::io::Errno;

use crate::error::{Context, LayerError, Result, invalid, show};
use crate::limits::Limits;
use crate::path::{AUFS_LINKS, Whiteout, clean, join, split, whiteout};
use crate::remove::remove_at;
use crate::tarball::{Entry, Kind, Reader};
use crate::view::{Place, View};

/// Bytes of directory names remembered at most. Only a bomb has so many directories.
const MAX_PENDING: usize = 512 << 20;

pub(crate) struct Applier {
    view: View,
    limits: Limits,
    entries: u64,
    /// Logical size of the sparse files made.
    sparse_bytes: u64,
    /// Times of directories, set at the end because filling a directory changes its own.
    times: HashMap<Vec<u8>, Timespec>,
    pending: usize,
    has_link_targets: bool,
}

impl Applier {
    /// Starts on an empty directory, which takes the attributes of the layer below until the archive says otherwise.
    pub fn new(view: View, limits: Limits) -> Result<Self> {
        let mut applier = Self {
            view,
            limits,
            entries: 0,
            sparse_bytes: 0,
            times: HashMap::new(),
            pending: 0,
            has_link_targets: false,
        };
        if let Some(parent) = applier.view.top_parent() {
            let stat = fs::fstat(parent).at("stat", b"")?;
            meta::copy_directory(parent, &stat, &applier.view.root().dir, b"")?;
            applier.remember_time(b"", meta::mtime_of(&stat))?;
        }
        Ok(applier)
    }

    /// Counts an entry against the limits.
    pub fn count_entry(&mut self) -> Result<()> {
        self.entries += 1;
        self.limits.check_entries(self.entries)
    }

    pub fn apply(&mut self, entry: &Entry, body: &mut Reader<'_>) -> Result<()> {
        self.apply_entry(entry, body).map_err(|error| about(&entry.name, error))
    }

    fn apply_entry(&mut self, entry: &Entry, body: &mut Reader<'_>) -> Result<()> {
        let path = clean(&entry.name)?;
        let (parent, name) = split(&path);
        match whiteout(&path)? {
            Whiteout::Ignored => Ok(()),
            Whiteout::LinkTarget => self.link_target(parent, name, (entry, body)),
            Whiteout::Hides(hidden) => {
                let place = self.place(parent)?;
                self.hide(&place, hidden)
            }
            Whiteout::Opaque => {
                let place = self.place(parent)?;
                meta::set_opaque(&place.dir, &place.path)
            }
            Whiteout::No if name.is_empty() => self.root(entry),
            Whiteout::No => {
                let place = self.place(parent)?;
                self.make(&place, name, (entry, body))
            }
        }
    }

    /// Stays in the layer until [`Self::finish`], so that links to it can be made.
    fn link_target(&mut self, parent: &[u8], name: &[u8], (entry, body): (&Entry, &mut Reader<'_>)) -> Result<()> {
        let Kind::File(extent) = &entry.kind else { return Ok(()) };
        self.has_link_targets = true;
        let place = self.place(parent)?;
        self.file(&place, name, (entry, extent, body))
    }

    fn make(&mut self, place: &Place, name: &[u8], (entry, body): (&Entry, &mut Reader<'_>)) -> Result<()> {
        match &entry.kind {
            Kind::File(extent) => return self.file(place, name, (entry, extent, body)),
            Kind::HardLink(target) => return self.hard_link(place, name, (entry, target)),
            Kind::Directory => return self.directory(place, name, entry),
            Kind::Symlink(target) => self.symlink(place, name, target)?,
            Kind::CharDevice(major, minor) => {
                self.node(place, name, (FileType::CharacterDevice, *major, *minor))?;
            }
            Kind::BlockDevice(major, minor) => self.node(place, name, (FileType::BlockDevice, *major, *minor))?,
            Kind::Fifo => self.node(place, name, (FileType::Fifo, 0, 0))?,
        }
        meta::set_by_name(&place.dir, name, entry)
    }

    /// Drops what the layer does not show and sets the times of directories, innermost and outermost in any order: setting a time changes no other.
    pub fn finish(&mut self) -> Result<()> {
        if self.has_link_targets {
            remove_at(self.view.root().dir.as_fd(), AUFS_LINKS)?;
        }
        for (path, mtime) in &self.times {
            match self.view.open_directory(path) {
                Ok(dir) => fs::futimens(&dir, &meta::times(*mtime)).at("set times", path)?,
                // A later entry took the directory's place.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(errno) => return Err(errno).at("open directory", path),
            }
        }
        Ok(())
    }

    /// The layer's own directory for entries of `path`, with the ones made on the way accounted for.
    fn place(&mut self, path: &[u8]) -> Result<Place> {
        let place = self.view.directory(path)?;
        for (made, like) in self.view.take_made() {
            self.count_entry()?;
            if let Some(stat) = like {
                self.remember_time(&made, meta::mtime_of(&stat))?;
            }
        }
        Ok(place)
    }

    /// Some writers name a link or a file so; nothing can take the root's place, and containerd passes over it, too.
    fn root(&mut self, entry: &Entry) -> Result<()> {
        if !matches!(entry.kind, Kind::Directory) {
            return Ok(());
        }
        meta::set_by_descriptor(&self.view.root().dir, entry)?;
        self.remember_time(b"", entry.mtime)
    }

    fn directory(&mut self, place: &Place, name: &[u8], entry: &Entry) -> Result<()> {
        let path = join(&place.path, name);
        let hidden = self.make_directory(place, name)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = fs::openat(&*place.dir, name, flags, Mode::empty()).at("open directory", &path)?;
        if hidden {
            meta::set_opaque(&made, &path)?;
        }
        meta::set_by_descriptor(&made, entry)?;
        self.remember_time(&path, entry.mtime)
    }

    /// True when a whiteout was there: the new directory must keep hiding what is below.
    fn make_directory(&mut self, place: &Place, name: &[u8]) -> Result<bool> {
        let mkdir = || fs::mkdirat(&*place.dir, name, Mode::RWXU);
        match mkdir() {
            Err(Errno::EXIST) => {}
            other => return other.at("mkdir", name).map(|()| false),
        }
        let stat = fs::statat(&*place.dir, name, AtFlags::SYMLINK_NOFOLLOW).at("stat", name)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Ok(false);
        }
        fs::unlinkat(&*place.dir, name, AtFlags::empty()).at("unlink", name)?;
        self.view.forget_recent();
        mkdir().at("mkdir", name)?;
        Ok(meta::is_whiteout(&stat))
    }

    /// Hides a name of the layers below. What this layer itself carries of that name stays: a whiteout speaks of the
    /// layers below only, so that together they mean "replaced".
    fn hide(&mut self, place: &Place, name: &[u8]) -> Result<()> {
        let whiteout = fs::mknodat(&*place.dir, name, FileType::CharacterDevice, Mode::empty(), 0);
        if whiteout != Err(Errno::EXIST) {
            return whiteout.at("make whiteout", name);
        }
        let path = join(&place.path, name);
        match self.view.open_directory(&path) {
            Ok(dir) => meta::set_opaque(&dir, &path),
            Err(Errno::NOTDIR | Errno::LOOP) => Ok(()),
            Err(errno) => Err(errno).at("open directory", &path),
        }
    }

    fn node(&mut self, place: &Place, name: &[u8], (kind, major, minor): (FileType, u32, u32)) -> Result<()> {
        let device = fs::makedev(major, minor);
        self.replacing(place, name, || fs::mknodat(&*place.dir, name, kind, Mode::RUSR | Mode::WUSR, device))
            .at("mknod", name)
    }

    fn symlink(&mut self, place: &Place, name: &[u8], target: &[u8]) -> Result<()> {
        if target.is_empty() || target.contains(&0) {
            return invalid(format!("the link target {} is impossible", show(target)));
        }
        self.replacing(place, name, || fs::symlinkat(target, &*place.dir, name)).at("symlink", name)
    }

    /// Makes something new at a name, after removing what an earlier entry made there.
    fn replacing<T>(
        &mut self,
        place: &Place,
        name: &[u8],
        make: impl Fn() -> rustix::io::Result<T>,
    ) -> rustix::io::Result<T> {
        match make() {
            Err(Errno::EXIST) => {}
            other => return other,
        }
        // A failed removal shows as the second attempt's EEXIST.
        let _ = remove_at(place.dir.as_fd(), name);
        self.view.forget_recent();
        make()
    }

    fn remember_time(&mut self, path: &[u8], mtime: Timespec) -> Result<()> {
        if self.times.insert(path.to_vec(), mtime).is_none() {
            self.pending += path.len() + size_of::<(Vec<u8>, Timespec)>();
        }
        if self.pending > MAX_PENDING {
            return Err(LayerError::Exhausted("the layer has too many directories".into()));
        }
        Ok(())
    }
}

/// Says which entry an error is about, and blames the archive for what only an archive can ask for.
fn about(name: &[u8], error: LayerError) -> LayerError {
    match error {
        LayerError::Invalid(why) => LayerError::Invalid(format!("entry {}: {why}", show(name))),
        LayerError::Io { op, errno, .. } if is_archives_fault(errno) => {
            LayerError::Invalid(format!("entry {}: {op}: {errno}", show(name)))
        }
        other => other,
    }
}

fn is_archives_fault(errno: Errno) -> bool {
    matches!(errno, Errno::INVAL | Errno::RANGE | Errno::TOOBIG | Errno::MLINK | Errno::NOTDIR | Errno::LOOP)
}
