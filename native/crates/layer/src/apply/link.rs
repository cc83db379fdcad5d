use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self, AtFlags, FileType, Stat};
use rustix::io::Errno;

use super::{Applier, meta};
use crate::copy::copy_node;
use crate::error::{Context, Result, invalid, show};
use crate::path::{clean, join, split};
use crate::tarball::Entry;
use crate::view::Place;

impl Applier {
    /// Links to a file of this layer, or to one of the layers below, which is copied up first.
    /// What the link's own header says counts for the file, as for the field's readers: it comes later.
    pub(super) fn hard_link(&mut self, place: &Place, name: &[u8], (entry, target): (&Entry, &[u8])) -> Result<()> {
        let target = clean(target)?;
        let (target_parent, target_name) = split(&target);
        if target_name.is_empty() {
            return invalid("a hard link to the root");
        }
        let from = self.place(target_parent)?;
        if (&from.path, target_name) == (&place.path, name) {
            return invalid("a hard link to itself");
        }
        let target = join(&from.path, target_name);
        self.check_target(&from, target_name, &target)?;
        let link = || fs::linkat(&*from.dir, target_name, &*place.dir, name, AtFlags::empty());
        match self.replacing(place, name, link) {
            Err(Errno::NOENT) => return invalid(format!("a hard link to {}, which it replaces", show(&target))),
            other => other.at("link", name)?,
        }
        meta::set_on_link(&place.dir, name, entry)
    }

    /// Makes sure that the target is here and can be linked to.
    fn check_target(&mut self, from: &Place, name: &[u8], target: &[u8]) -> Result<()> {
        match fs::statat(&*from.dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if meta::is_whiteout(&stat) => {
                invalid(format!("a hard link to {}, which the layer deletes", show(target)))
            }
            Ok(stat) => check_linkable(&stat, target),
            Err(Errno::NOENT) => self.copy_up(from, name, target),
            Err(errno) => Err(errno).at("stat", target),
        }
    }

    fn copy_up(&mut self, from: &Place, name: &[u8], target: &[u8]) -> Result<()> {
        let Some((node, stat)): Option<(OwnedFd, Stat)> = self.view.below(target)? else {
            return invalid(format!("a hard link to {}, which no layer has", show(target)));
        };
        check_linkable(&stat, target)?;
        self.count_entry()?;
        copy_node((node.as_fd(), &stat), (from.dir.as_fd(), name))
    }
}

fn check_linkable(stat: &Stat, target: &[u8]) -> Result<()> {
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        return invalid(format!("a hard link to the directory {}", show(target)));
    }
    Ok(())
}
