//! The command line of an OCI runtime (runc's, which crun and others share).

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::OFlags;
use ttrpc::{Code, Status};

use crate::options::Options;

/// What a runtime process, and with it the container's process, begins with. Streams that are absent are /dev/null.
#[derive(Debug, Default)]
pub struct Inherited {
    pub stdin: Option<OwnedFd>,
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
    /// Absent: our own. crun leaves an exec the one that it inherits, which protects the daemon.
    pub oom_score_adj: Option<i64>,
}

/// One run of the runtime under way.
#[derive(Debug)]
pub struct Invocation {
    pub pid: u32,
    log: PathBuf,
    verb: String,
}

impl Invocation {
    /// Starts `runtime [global options] args…`. `log` is a path for the runtime's own messages, not yet in use.
    ///
    /// # Errors
    /// [`Code::Internal`] with the program's name, even where there is none: [`Code::NotFound`] is for containers.
    pub fn start<A: AsRef<OsStr>>(
        options: &Options,
        log: PathBuf,
        args: &[A],
        inherited: Inherited,
    ) -> Result<Self, Status> {
        let mut command = Command::new(&options.runtime);
        if !options.runtime_root.is_empty() {
            command.arg("--root").arg(&options.runtime_root);
        }
        if options.systemd_cgroup {
            command.arg("--systemd-cgroup");
        }
        command.arg("--log").arg(&log).args(["--log-format", "json"]).args(args);
        command.stdin(stdio(inherited.stdin)?).stdout(stdio(inherited.stdout)?).stderr(stdio(inherited.stderr)?);
        if let Some(score) = inherited.oom_score_adj {
            sys::begin_with_oom_score_adj(&mut command, score);
        }
        let child = command
            .spawn()
            .map_err(|error| Status::new(Code::Internal, format!("OCI runtime {}: {error}", options.runtime)))?;
        let verb = args.first().map(|verb| verb.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { pid: child.id(), log, verb })
    }

    /// What the runtime said when it failed; removes its log.
    #[must_use]
    pub fn failure(&self, runtime: &str, code: u32) -> String {
        let said = last_error(&self.log).unwrap_or_else(|| format!("exit code {code}"));
        let name = Path::new(runtime).file_name().map_or_else(|| runtime.into(), OsStr::to_string_lossy);
        format!("{name} {}: {said}", self.verb)
    }

    /// Removes the runtime's log.
    pub fn clean(&self) {
        // Absent when the runtime had nothing to say.
        let _ = fs::remove_file(&self.log);
    }
}

/// Runtimes leave an exec the /dev/null that they began with, and root in a container may change the mode of what it has.
fn stdio(stream: Option<OwnedFd>) -> Result<Stdio, Status> {
    let null = || sys::open_unchangeable(Path::new("/dev/null"), OFlags::RDWR);
    let stream = stream.map_or_else(null, Ok);
    stream.map(Stdio::from).map_err(|errno| Status::new(Code::Internal, format!("open /dev/null: {errno}")))
}

/// The `msg` of the last entry of level error; runtimes write one JSON object a line.
fn last_error(log: &Path) -> Option<String> {
    let text = fs::read_to_string(log).ok()?;
    let message = |line: &str| -> Option<String> {
        let entry: serde_json::Value = serde_json::from_str(line).ok()?;
        (entry.get("level")?.as_str()? == "error").then_some(())?;
        // crun has nothing to say about a hook that failed, and says so.
        Some(entry.get("msg")?.as_str()?.to_owned()).filter(|said| !said.is_empty())
    };
    let last = text.lines().rev().find_map(message);
    last.or_else(|| text.lines().last().map(str::to_owned))
}
