//! A runtime's program under way.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::{env, fs, io};

use rustix::fs::OFlags;
use sys::{Child, Spawn};

use super::mark;
use crate::said::{self, Sheet};

/// What a runtime begins with. Streams that are absent are /dev/null.
#[derive(Debug, Default)]
pub struct Inherited {
    pub stdin: Option<OwnedFd>,
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
    /// Absent: our own. crun leaves an exec the one that it inherits, which protects the daemon.
    pub oom_score_adj: Option<i64>,
}

/// How a runtime's program is called.
pub struct Command<'a> {
    /// Path or name.
    pub program: &'a str,
    /// The container's id last.
    pub words: Vec<OsString>,
    /// What the runtime is asked to do, for messages.
    pub verb: &'static str,
    /// Where its words have it write its own messages.
    pub log: PathBuf,
    /// The process in the container gets the streams, too. Otherwise the runtime has a stderr for itself.
    pub hands_streams_on: bool,
}

/// One run of the runtime under way.
#[derive(Debug)]
pub struct Invocation {
    pub child: Child,
    log: PathBuf,
    /// What the runtime was asked to do, for messages.
    title: String,
    /// What it writes to a stderr of its own.
    sheet: Option<Sheet>,
}

impl Invocation {
    /// Starts the program.
    ///
    /// # Errors
    /// Those of finding it, and of fork(2) and execve(2).
    pub fn start(command: Command<'_>, streams: Inherited) -> io::Result<Self> {
        let sheet = (!command.hands_streams_on).then(Sheet::new).transpose()?;
        let child = spawn(command.program, &command.words, &streams, sheet.as_ref())?;
        let name = Path::new(command.program).file_name().unwrap_or(OsStr::new(command.program));
        let title = format!("{} {}", name.display(), command.verb);
        Ok(Self { child, log: command.log, title, sheet })
    }

    /// The runtime's number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// What went wrong, from the runtime's log, its stderr and its end. `heard` is what came through the streams that it shared
    /// with its container.
    #[must_use]
    pub fn failure(&self, ended: &str, heard: &[u8]) -> String {
        let logged = said::last_error(&self.log);
        let own = self.sheet.as_ref().map(Sheet::read).unwrap_or_default();
        let said = said::shown(if own.is_empty() { heard } else { &own });
        // runc says the same in both places.
        let said = if logged.as_ref().is_some_and(|logged| said.contains(logged)) { String::new() } else { said };
        match (logged, said.is_empty()) {
            (Some(logged), true) => format!("{}: {logged} ({ended})", self.title),
            (Some(logged), false) => format!("{}: {logged} ({ended}); it said: {said}", self.title),
            (None, false) => format!("{}: {said} ({ended})", self.title),
            (None, true) => format!("{}: {ended}, and no word", self.title),
        }
    }

    /// Removes the runtime's log.
    pub fn clean(&self) {
        // Absent when the runtime had nothing to say.
        let _ = fs::remove_file(&self.log);
    }
}

/// How a program ended, in words.
#[must_use]
pub fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("ended by signal {}", signal.unwrap_or(0)),
    }
}

fn spawn(program: &str, words: &[OsString], inherited: &Inherited, sheet: Option<&Sheet>) -> io::Result<Child> {
    // Runtimes leave an exec the /dev/null that they began with, and root in a container may change the mode of what it has.
    let null = sys::open_unchangeable(Path::new("/dev/null"), OFlags::RDWR)?;
    let path = find(program)?;
    let id = words.last().map(OsString::as_os_str).unwrap_or_default();
    let argv = std::iter::once(OsStr::new(program)).chain(words.iter().map(OsString::as_os_str));
    let environment = env::vars_os().map(|(name, value)| [name, value].join(OsStr::new("="))).chain([mark::of(id)]);
    let stderr = sheet.map(Sheet::as_fd).or(inherited.stderr.as_ref().map(AsFd::as_fd));
    Ok(sys::spawn(&Spawn {
        program: &c_string(path.as_os_str())?,
        argv: &argv.map(c_string).collect::<io::Result<Vec<_>>>()?,
        env: &environment.map(|word| c_string(&word)).collect::<io::Result<Vec<_>>>()?,
        cwd: None,
        stdio: [
            inherited.stdin.as_ref().unwrap_or(&null).as_fd(),
            inherited.stdout.as_ref().unwrap_or(&null).as_fd(),
            stderr.unwrap_or(null.as_fd()),
        ],
        session: false,
        pid_namespace: false,
        die_with_thread: false,
        oom_score_adj: inherited.oom_score_adj,
    })?)
}

/// A program that is no path is looked for as a shell would.
fn find(program: &str) -> io::Result<PathBuf> {
    if program.contains('/') {
        return Ok(program.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let runs =
        |path: &PathBuf| fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    let found = env::split_paths(&path).map(|directory| directory.join(program)).find(runs);
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "not found in PATH"))
}

fn c_string(word: &OsStr) -> io::Result<CString> {
    CString::new(word.as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}
