//! What berthd writes into the bundle before it has the streams served.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mkdir, mknodat};
use rustix::io::Errno;
use serde::Deserialize;

const FILE: &str = "streams.json";
const DIRECTORY: &str = "io";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// None: who attaches hears the outputs, and nobody else.
    pub log: Option<Log>,
    pub terminal: bool,
    pub stdin: bool,
    pub stdin_once: bool,
    /// Where we listen.
    pub socket: PathBuf,
    pub shim: Shim,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    pub path: PathBuf,
    pub max_line_bytes: usize,
}

/// The shim that has the other ends.
#[derive(Debug, Deserialize)]
pub struct Shim {
    /// The container there.
    pub id: String,
    pub address: PathBuf,
    /// Full name of its Task service.
    pub service: String,
}

impl Settings {
    /// The settings in a bundle and the file that they are in.
    ///
    /// # Errors
    /// Those of reading; `InvalidData` with what serde says.
    pub fn read(bundle: &Path) -> io::Result<(Self, File)> {
        let file = File::open(bundle.join(FILE))?;
        Ok((serde_json::from_reader(&file)?, file))
    }

    /// The path of one of the FIFOs, which exists then.
    ///
    /// # Errors
    /// Those of mkdir(2) and mknod(2).
    pub fn fifo(bundle: &Path, name: &str) -> io::Result<PathBuf> {
        let directory = bundle.join(DIRECTORY);
        unless_there(mkdir(&directory, Mode::RWXU))?;
        let path = directory.join(name);
        unless_there(mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0))?;
        Ok(path)
    }

    /// A terminal has an input in any case.
    pub const fn has_stdin(&self) -> bool {
        self.stdin || self.terminal
    }

    /// A terminal has no end of input that could be passed on.
    pub const fn ends_with_client(&self) -> bool {
        self.stdin_once && !self.terminal
    }
}

/// A process that served these streams before us has made it already.
fn unless_there(made: rustix::io::Result<()>) -> io::Result<()> {
    match made {
        Err(Errno::EXIST) => Ok(()),
        other => Ok(other?),
    }
}
