//! `delete`: clears up after a shim that is gone.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message;

use crate::args::Args;
use crate::clock;
use crate::proto::task;
use crate::rootfs;

/// The exit code of a container that nobody saw ending.
const KILLED: u32 = 137;

/// Kills what the container left, unmounts its root filesystem and prints a DeleteResponse.
///
/// # Errors
/// That of unmounting or of writing the answer.
pub fn delete(args: &Args) -> io::Result<()> {
    let bundle = match &args.bundle {
        Some(bundle) => bundle.clone(),
        None => std::env::current_dir()?,
    };
    let recorded = Runtime::recorded(&bundle);
    // It may be gone already, or never have been made.
    let _ = recorded.command(&args.id).status();
    rootfs::unmount_all(&bundle.join("rootfs"))?;
    let answer = task::DeleteResponse { pid: 0, exit_status: KILLED, exited_at: Some(clock::now()) };
    io::stdout().write_all(&answer.encode_to_vec())
}

/// Which runtime the dead shim used; it wrote that down at Create.
#[derive(Debug)]
pub struct Runtime {
    binary: String,
    root: String,
    systemd_cgroup: bool,
}

const FILE: &str = "runtime.json";

impl Runtime {
    /// Keeps the runtime for a later `delete`.
    ///
    /// # Errors
    /// That of write(2).
    pub fn record(bundle: &Path, options: &crate::options::Options) -> io::Result<()> {
        let text = serde_json::json!({
            "binary": options.runtime, "root": options.runtime_root, "systemdCgroup": options.systemd_cgroup,
        });
        std::fs::write(bundle.join(FILE), text.to_string())
    }

    fn recorded(bundle: &Path) -> Self {
        let text = std::fs::read_to_string(bundle.join(FILE)).unwrap_or_default();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let word = |key: &str| value.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let binary = word("binary");
        Self {
            binary: if binary.is_empty() { "crun".to_owned() } else { binary },
            root: word("root"),
            systemd_cgroup: value.get("systemdCgroup").and_then(serde_json::Value::as_bool).unwrap_or(false),
        }
    }

    fn command(&self, id: &str) -> Command {
        let mut command = Command::new(PathBuf::from(&self.binary));
        if !self.root.is_empty() {
            command.arg("--root").arg(&self.root);
        }
        if self.systemd_cgroup {
            command.arg("--systemd-cgroup");
        }
        command.args(["delete", "--force", id]).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command
    }
}
