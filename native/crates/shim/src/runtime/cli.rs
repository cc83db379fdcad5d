//! The command line of an OCI runtime (runc's, which crun and others share).

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};
use serde::{Deserialize, Serialize};
use ttrpc::{Code, Status};

use super::invocation::{Command, Inherited, Invocation};
use super::{Making, Order, Runtime, Verb};
use crate::proto::runc::CheckpointOptions;

/// Which runtime, and what each call of it begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cli {
    /// Path or name of the program.
    #[serde(rename = "binary")]
    pub program: String,
    /// Empty: the runtime's own default.
    pub root: String,
    pub systemd_cgroup: bool,
}

impl Default for Cli {
    fn default() -> Self {
        Self { program: "crun".to_owned(), root: String::new(), systemd_cgroup: false }
    }
}

/// Where a bundle says which runtime its container has.
const FILE: &str = "runtime.json";

impl Cli {
    /// Keeps the runtime for a `delete` after the shim's death.
    ///
    /// # Errors
    /// That of write(2).
    pub fn record(&self, bundle: &Path) -> io::Result<()> {
        std::fs::write(bundle.join(FILE), serde_json::to_vec(self)?)
    }

    /// The runtime that a bundle's shim used.
    #[must_use]
    pub fn recorded(bundle: &Path) -> Self {
        let text = std::fs::read(bundle.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// `[global options] verb options… id`.
    fn words(&self, order: &Order<'_>) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        if !self.root.is_empty() {
            words.extend(["--root".into(), self.root.clone().into()]);
        }
        if self.systemd_cgroup {
            words.push("--systemd-cgroup".into());
        }
        words.extend(["--log".into(), order.log.clone().into(), "--log-format".into(), "json".into()]);
        words.push(name(order.verb).into());
        words.extend(options(order.verb));
        words.push(order.id.into());
        words
    }
}

impl Runtime for Cli {
    fn begin(&self, order: &Order<'_>, streams: Inherited) -> Result<Invocation, Status> {
        // Even where there is no such program: `NotFound` is for containers.
        let failed = |error: io::Error| Status::new(Code::Internal, format!("OCI runtime {}: {error}", self.program));
        let mut streams = streams;
        if let Verb::Update(resources) = order.verb {
            streams.stdin = Some(in_memory(resources).map_err(failed)?);
        }
        let command = Command {
            program: &self.program,
            words: self.words(order),
            verb: name(order.verb),
            log: order.log.clone(),
            hands_streams_on: order.verb.making().is_some_and(|(_, making)| making.console.is_none()),
        };
        Invocation::start(command, streams).map_err(failed)
    }

    fn forget(&self, id: &str) {
        if !self.root.is_empty() {
            // Nothing was written yet, or it is gone.
            let _ = std::fs::remove_dir_all(Path::new(&self.root).join(id));
        }
    }
}

const fn name(verb: &Verb) -> &'static str {
    match verb {
        Verb::Create { .. } => "create",
        Verb::Start => "start",
        Verb::Run { restore: None, .. } => "run",
        Verb::Run { restore: Some(_), .. } => "restore",
        Verb::Exec { .. } => "exec",
        Verb::Pause => "pause",
        Verb::Resume => "resume",
        Verb::Update(_) => "update",
        Verb::Checkpoint { .. } => "checkpoint",
        Verb::Delete { .. } => "delete",
    }
}

fn options(verb: &Verb) -> Vec<OsString> {
    let mut words: Vec<OsString> = match verb {
        Verb::Create { bundle, .. } => vec!["--bundle".into(), bundle.into()],
        Verb::Run { bundle, restore, .. } => {
            let mut words = vec!["--detach".into(), "--bundle".into(), bundle.into()];
            if let Some(restore) = restore {
                words.extend(["--image-path".into(), OsString::from(&restore.image)]);
                words.extend(["--work-path".into(), OsString::from(&restore.work)]);
                words.extend(["--tcp-established", "--file-locks"].map(OsString::from));
            }
            words
        }
        Verb::Exec { spec, .. } => vec!["--detach".into(), "--process".into(), spec.into()],
        Verb::Update(_) => ["--resources", "-"].map(OsString::from).into(),
        Verb::Checkpoint { image, work, options } => checkpoint_options(image, work, options),
        Verb::Delete { force: true } => vec!["--force".into()],
        Verb::Delete { force: false } | Verb::Start | Verb::Pause | Verb::Resume => Vec::new(),
    };
    words.extend(verb.making().into_iter().flat_map(|(_, making)| handover(making)));
    words
}

/// For an exec, the description says that there is a terminal; not every runtime knows to be told so beside it.
fn handover(making: &Making) -> Vec<OsString> {
    let console = making.console.iter().flat_map(|console| ["--console-socket".into(), console.path.clone().into()]);
    ["--pid-file".into(), making.pid_file.clone().into()].into_iter().chain(console).collect()
}

fn checkpoint_options(image: &str, work: &PathBuf, asked: &CheckpointOptions) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["--image-path".into(), image.into(), "--work-path".into(), work.into()];
    let switches = [
        (!asked.exit, "--leave-running"),
        (asked.open_tcp, "--tcp-established"),
        (asked.external_unix_sockets, "--ext-unix-sk"),
        (asked.terminal, "--shell-job"),
        (asked.file_locks, "--file-locks"),
    ];
    words.extend(switches.into_iter().filter(|(on, _)| *on).map(|(_, switch)| switch.into()));
    let values = [("--manage-cgroups-mode", &asked.cgroups_mode), ("--parent-path", &asked.parent_path)];
    let values = values.into_iter().filter(|(_, value)| !value.is_empty());
    let empty = asked.empty_namespaces.iter().map(|kind| ("--empty-ns", kind));
    words.extend(values.chain(empty).flat_map(|(option, value)| [option.into(), value.into()]));
    words
}

/// A file without a name that holds these bytes and is read from their start.
fn in_memory(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(c"resources", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::super::Restore;
    use super::*;
    use crate::console::Console;

    fn line(verb: &Verb) -> String {
        let cli = Cli { root: "/r".to_owned(), ..Cli::default() };
        let words = cli.words(&Order { id: "c1", verb, log: "/l".into() });
        let text = words.join(std::ffi::OsStr::new(" ")).into_string().expect("text");
        text.strip_prefix("--root /r --log /l --log-format json ").expect("global options").to_owned()
    }

    fn making() -> Making {
        Making { pid_file: "/p".into(), console: None }
    }

    #[test]
    fn every_verb_has_its_words() {
        let bundle = || PathBuf::from("/b");
        let restore = |image: &str| Some(Restore { image: image.into(), work: "/w".into() });
        let exec = Verb::Exec { id: "e1".to_owned(), spec: "/e.json".into(), making: making() };
        for (verb, expected) in [
            (Verb::Create { bundle: bundle(), making: making() }, "create --bundle /b --pid-file /p c1"),
            (
                Verb::Run { bundle: bundle(), restore: None, making: making() },
                "run --detach --bundle /b --pid-file /p c1",
            ),
            (
                Verb::Run { bundle: bundle(), restore: restore("/i"), making: making() },
                "restore --detach --bundle /b --image-path /i --work-path /w --tcp-established --file-locks --pid-file /p c1",
            ),
            (Verb::Start, "start c1"),
            (exec, "exec --detach --process /e.json --pid-file /p c1"),
            (Verb::Pause, "pause c1"),
            (Verb::Resume, "resume c1"),
            (Verb::Update(Vec::new()), "update --resources - c1"),
            (Verb::Delete { force: true }, "delete --force c1"),
            (Verb::Delete { force: false }, "delete c1"),
        ] {
            assert_eq!(line(&verb), expected);
        }
    }

    #[test]
    fn a_checkpoints_options_become_the_runtimes_flags() {
        let checkpoint = |options| line(&Verb::Checkpoint { image: "/i".to_owned(), work: "/w".into(), options });
        let asked = CheckpointOptions {
            open_tcp: true,
            file_locks: true,
            empty_namespaces: vec!["network".into()],
            ..CheckpointOptions::default()
        };
        let begin = "checkpoint --image-path /i --work-path /w";
        let flags = "--leave-running --tcp-established --file-locks --empty-ns network";
        assert_eq!(checkpoint(asked), format!("{begin} {flags} c1"));
        assert_eq!(checkpoint(CheckpointOptions { exit: true, ..CheckpointOptions::default() }), format!("{begin} c1"));
    }

    #[test]
    fn a_terminal_comes_through_its_socket() {
        let path = std::env::temp_dir().join(format!("berth-cli-{}", std::process::id()));
        let console = Console::open(&path).expect("bound");
        let making = Making { pid_file: "/p".into(), console: Some(console) };
        let words = line(&Verb::Create { bundle: "/b".into(), making });
        assert_eq!(words, format!("create --bundle /b --pid-file /p --console-socket {} c1", path.display()));
    }
}
