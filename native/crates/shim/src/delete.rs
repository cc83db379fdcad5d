//! `delete`: clears up after a shim that is gone, or that nobody can talk to any more.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use prost::Message;

use crate::args::Args;
use crate::clock;
use crate::exit::read_record;
use crate::processes;
use crate::proto::task;
use crate::socket;
use cgroup::{CgroupPaths, spec_path};

/// The exit code of a container that nobody saw ending.
const KILLED: u32 = 137;
/// A runtime that is cut off leaves what its own `delete` does not find.
const RUNTIME_PATIENCE: Duration = Duration::from_secs(2);

/// Kills the shim if it lives and what the container left, unmounts its root filesystem and prints a DeleteResponse.
///
/// # Errors
/// That of unmounting or of writing the answer.
pub fn delete(args: &Args) -> io::Result<()> {
    let bundle = match &args.bundle {
        Some(bundle) => bundle.clone(),
        None => std::env::current_dir()?,
    };
    let own = std::env::args().next().unwrap_or_default();
    // A shim that was just being started has told nobody its number.
    processes::kill_all(|words| is_shim(words, &own, args));
    let runtime = Runtime::recorded(&bundle);
    let cgroup = CgroupPaths::at(&spec_path(&bundle));
    // A runtime that entered a frozen cgroup is held in there, too.
    cgroup.iter().filter(|cgroup| cgroup.holds_the_dying()).for_each(CgroupPaths::kill);
    runtime.settle(&args.id);
    // Before the runtime's turn, which kills the first process and then waits for those that live without it.
    cgroup.iter().for_each(CgroupPaths::kill);
    runtime.remove(&args.id);
    // Looked for anew: a runtime that was at work may have made it meanwhile.
    CgroupPaths::at(&spec_path(&bundle)).iter().for_each(CgroupPaths::remove);
    mount::detach(&bundle.join("rootfs"))?;
    // It may lie outside of the bundle, where nobody else would find it.
    let _ = std::fs::remove_file(socket::short_path(&bundle, socket::NAME));
    io::stdout().write_all(&answer(&bundle).encode_to_vec())
}

/// What the container's shim recorded before it was gone, or that the container ended by our hand.
fn answer(bundle: &Path) -> task::DeleteResponse {
    let (pid, code, at) =
        read_record(bundle).map_or((0, KILLED, clock::now()), |(pid, exit)| (pid, exit.code, exit.at));
    task::DeleteResponse { pid, exit_status: code, exited_at: Some(at) }
}

/// Whether these words start the container's shim, or are those of the shim, which shares them.
fn is_shim(words: &[&str], own: &str, args: &Args) -> bool {
    let flag = |name: &str, value: &str| words.windows(2).any(|pair| pair == [name, value]);
    words[0] == own && words.last() == Some(&"start") && flag("-id", &args.id) && flag("-namespace", &args.namespace)
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

    /// Lets runtime processes that work on the container come to their end.
    fn settle(&self, id: &str) {
        let at_work = |words: &[&str]| words[0] == self.binary && words.contains(&id);
        processes::wait_for_end(at_work, RUNTIME_PATIENCE);
        processes::kill_all(at_work);
    }

    /// Removes the container; it may be gone already, or never have been made.
    fn remove(&self, id: &str) {
        let _ = self.command(id).status();
        if !self.root.is_empty() {
            // What a runtime that was killed midway has written does not count as a container to `delete`.
            let _ = std::fs::remove_dir_all(Path::new(&self.root).join(id));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_is_known_by_its_program_container_and_namespace() {
        let line = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let args = Args::parse(line("-namespace berth -id c1 -bundle /b delete")).expect("parses");
        let matches = |text: &str| is_shim(&text.split(' ').collect::<Vec<_>>(), "/bin/shim", &args);
        assert!(matches("/bin/shim -namespace berth -address  -id c1 start"));
        assert!(!matches("/bin/shim -namespace berth -id c1 -bundle /b delete"));
        assert!(!matches("/bin/shim -namespace k8s.io -id c1 start"));
        assert!(!matches("/bin/shim -namespace berth -id c10 start"));
        assert!(!matches("/bin/other -namespace berth -id c1 start"));
    }
}
