//! The command line of an OCI runtime (runc's, which crun and others share).

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::{env, fs, io};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sys::{Child, Spawn};
use ttrpc::{Code, Status};

use crate::said::{self, Sheet};

/// What a shim adds to the environment of each runtime process, with the container's id: a runtime may be a script, which
/// becomes another program. No runtime hands it on to the container.
pub const MARK: &str = "BERTH_CONTAINER";

/// Tells by the words of an environment whether a process is one of a runtime that works on this container.
pub fn works_on(id: &str) -> impl Fn(&[&str]) -> bool {
    let mark = format!("{MARK}={id}");
    move |words| words.contains(&mark.as_str())
}

/// What a runtime process begins with. Streams that are absent are /dev/null.
#[derive(Debug, Default)]
pub struct Inherited {
    pub stdin: Option<OwnedFd>,
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
    /// The process in the container gets the streams, too. Otherwise the runtime has a stderr for itself.
    pub handed_on: bool,
    /// Absent: our own. crun leaves an exec the one that it inherits, which protects the daemon.
    pub oom_score_adj: Option<i64>,
}

/// Which runtime, and what each call of it begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Runtime {
    /// Path or name of the program.
    #[serde(rename = "binary")]
    pub program: String,
    /// Empty: the runtime's own default.
    pub root: String,
    pub systemd_cgroup: bool,
}

impl Default for Runtime {
    fn default() -> Self {
        Self { program: "crun".to_owned(), root: String::new(), systemd_cgroup: false }
    }
}

/// Where a bundle says which runtime its container has.
const FILE: &str = "runtime.json";

impl Runtime {
    /// The program's name, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        let name = Path::new(&self.program).file_name();
        name.map_or_else(|| self.program.clone(), |name| name.to_string_lossy().into_owned())
    }

    /// Keeps the runtime for a `delete` after the shim's death.
    ///
    /// # Errors
    /// That of write(2).
    pub fn record(&self, bundle: &Path) -> io::Result<()> {
        fs::write(bundle.join(FILE), serde_json::to_vec(self)?)
    }

    /// The runtime that a bundle's shim used.
    #[must_use]
    pub fn recorded(bundle: &Path) -> Self {
        let text = fs::read(bundle.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Where the runtime keeps what it knows of a container, if we know it.
    #[must_use]
    pub fn state_of(&self, id: &str) -> Option<PathBuf> {
        (!self.root.is_empty()).then(|| Path::new(&self.root).join(id))
    }

    /// Removes what the runtime has written down of a container: what one that was cut off wrote does not count as a container
    /// to its `delete`.
    pub fn forget(&self, id: &str) {
        if let Some(state) = self.state_of(id) {
            // Nothing was written yet, or it is gone.
            let _ = fs::remove_dir_all(state);
        }
    }

    fn global_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        if !self.root.is_empty() {
            args.extend(["--root".into(), self.root.clone().into()]);
        }
        if self.systemd_cgroup {
            args.push("--systemd-cgroup".into());
        }
        args
    }
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
    /// Starts `runtime [global options] args…`, the last of which is the container's id. `log` is a path for the runtime's
    /// own messages, not yet in use.
    ///
    /// # Errors
    /// [`Code::Internal`] with the program's name, even where there is none: [`Code::NotFound`] is for containers.
    pub fn start(runtime: &Runtime, log: PathBuf, args: &[OsString], inherited: Inherited) -> Result<Self, Status> {
        let failed =
            |error: io::Error| Status::new(Code::Internal, format!("OCI runtime {}: {error}", runtime.program));
        let sheet = (!inherited.handed_on).then(Sheet::new).transpose().map_err(failed)?;
        let mut words = runtime.global_args();
        words.extend(["--log".into(), log.clone().into(), "--log-format".into(), "json".into()]);
        words.extend_from_slice(args);
        let child = spawn(&runtime.program, &words, &inherited, sheet.as_ref()).map_err(failed)?;
        let verb = args.first().map(|verb| verb.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { child, log, title: format!("{} {verb}", runtime.name()), sheet })
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
    let mark = [OsStr::new(MARK), id].join(OsStr::new("="));
    let environment = env::vars_os().map(|(name, value)| [name, value].join(OsStr::new("="))).chain([mark]);
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
