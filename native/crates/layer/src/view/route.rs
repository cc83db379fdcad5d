use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::fs::{self, Mode};

use super::beneath::{BENEATH, DIRECTORY, open_directory};
use crate::error::{Context, Result, invalid};

/// The kernel's own limit on symlinks in one walk.
const MAX_LINKS: usize = 40;
/// Links that point at long paths multiply; no real image needs more.
const MAX_STEPS: usize = 4096;

/// The state of one walk: names still to take, names taken.
pub(super) struct Route {
    /// Where absolute links begin.
    root: Rc<OwnedFd>,
    pub todo: VecDeque<Vec<u8>>,
    pub done: Vec<u8>,
    /// The directory at `done`.
    pub here: OwnedFd,
    /// Length of `done` at the outermost opaque directory passed: it hides what the layers below have in it.
    pub opaque: Option<usize>,
    links: usize,
    steps: usize,
}

impl Route {
    pub fn new(path: &[u8], root: Rc<OwnedFd>) -> Result<Self> {
        let todo = path.split(|&byte| byte == b'/').map(<[u8]>::to_vec).collect();
        let here = open_directory(&root, b"").at("open directory", b"")?;
        Ok(Self { root, todo, done: Vec::new(), here, opaque: None, links: 0, steps: 0 })
    }

    pub fn enter(&mut self, path: Vec<u8>, name: &[u8]) -> Result<()> {
        let next = fs::openat2(&self.here, name, DIRECTORY, Mode::empty(), BENEATH);
        self.here = next.at("open directory", &path)?;
        self.done = path;
        Ok(())
    }

    pub fn follow(&mut self, target: &[u8]) -> Result<()> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return invalid("too many symbolic links");
        }
        for name in target.rsplit(|&byte| byte == b'/') {
            self.todo.push_front(name.to_vec());
        }
        if target.starts_with(b"/") {
            return self.restart_at(Vec::new());
        }
        Ok(())
    }

    pub fn restart_at(&mut self, done: Vec<u8>) -> Result<()> {
        self.opaque = self.opaque.filter(|&length| length <= done.len());
        self.here = open_directory(&self.root, &done).at("open directory", &done)?;
        self.done = done;
        Ok(())
    }

    pub fn count_step(&mut self) -> Result<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return invalid("its symbolic links lead through too many directories");
        }
        Ok(())
    }
}
