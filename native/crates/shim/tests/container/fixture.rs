//! One shim with its bundle, its own runtime root and cgroup. Whatever a test leaves ends with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use prost::Message;
use prost_types::Any;
use ttrpc::{Client, ClientError, Status};

use crate::bundle::{self, Wish};
use crate::observed::{entries, eventually, lives, signal};
use crate::proto::berth::shim::v1 as berth;
use crate::proto::containerd::task::v3 as task;
use crate::proto::containerd::types::Mount;

pub const SHIM: &str = env!("CARGO_BIN_EXE_berth-shim");
const RUNTIME: &str = "/usr/bin/crun";
const RUNC: &str = "/usr/sbin/runc";
pub const TASK: &str = "containerd.task.v3.Task";
const TIMEOUT: Duration = Duration::from_secs(30);

/// Runs "$@" where crun works: it refuses a host that has both cgroup versions mounted. So there is a view of version 1
/// alone, read-only, because crun would otherwise make files in the place of the missing version 2.
const PRIVATE: &str = r#"
set -e
if mountpoint -q /sys/fs/cgroup/unified; then
    view=$(mktemp -d)
    mount -t tmpfs cgroup "$view"
    for hierarchy in /sys/fs/cgroup/*/; do
        name=$(basename "$hierarchy")
        [ "$name" = unified ] || { mkdir "$view/$name"; mount --bind "$hierarchy" "$view/$name"; }
    done
    mount -o remount,ro "$view"
    mount --move "$view" /sys/fs/cgroup
    rmdir "$view"
fi
exec "$@"
"#;

/// The OCI runtimes that are here.
pub fn runtimes() -> impl Iterator<Item = &'static str> {
    [RUNTIME, RUNC].into_iter().filter(|path| Path::new(path).exists())
}

/// Why the tests cannot run here.
fn missing() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("root");
    }
    [RUNTIME, "/bin/busybox", "/usr/bin/unshare"].into_iter().find(|path| !Path::new(path).exists())
}

/// A running berth-shim and a connection to it.
pub struct Shim {
    pub dir: PathBuf,
    pub bundle: PathBuf,
    pub id: String,
    pub pid: u32,
    pub socket: PathBuf,
    /// How long calls are waited for.
    pub patience: Duration,
    client: Client,
}

impl Shim {
    /// Starts a shim, or says why that is impossible and skips the test.
    pub fn start(wish: &Wish<'_>) -> Option<Self> {
        Self::start_by(wish, &[])
    }

    /// As [`Shim::start`], with a program in front that runs `start`.
    pub fn start_by(wish: &Wish<'_>, starter: &[&str]) -> Option<Self> {
        if let Some(missing) = missing() {
            println!("skipped: the shim's container tests need {missing}");
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("shim-it-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(&id);
        let bundle = dir.join("bundle");
        fs::create_dir_all(&bundle).expect("bundle");
        fs::write(bundle.join("config.json"), bundle::spec(wish, &format!("/{id}/c")).to_string()).expect("spec");
        let starter = starter.iter().map(|word| (*word).to_owned());
        let words = starter.chain([SHIM, "-namespace", "it", "-id", &id, "start"].map(str::to_owned));
        let output = run_private(&bundle, &words.collect::<Vec<_>>());
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let value: serde_json::Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("start: {output:?}"));
        let address = value["address"].as_str().and_then(|at| at.strip_prefix("unix://"));
        let socket = PathBuf::from(address.expect("address"));
        let client = Client::connect(&socket).expect("connects");
        let pid = fs::read_to_string(bundle.join("shim.pid")).expect("pid").parse().expect("pid");
        Some(Self { dir, bundle, id, pid, socket, patience: TIMEOUT, client })
    }

    pub fn log_path(&self) -> PathBuf {
        self.dir.join("container.log")
    }

    pub fn exit_file(&self) -> PathBuf {
        self.dir.join("exit.json")
    }

    /// berth's options: a log, an exit record, an own runtime root.
    pub fn options(&self) -> berth::Options {
        berth::Options {
            runtime: RUNTIME.to_owned(),
            runtime_root: self.dir.join("runtime").display().to_string(),
            log: Some(berth::Log { path: self.log_path().display().to_string(), max_line_bytes: 0 }),
            exit_file: self.exit_file().display().to_string(),
            ..berth::Options::default()
        }
    }

    /// As `options`, with another OCI runtime.
    pub fn options_of(&self, runtime: &str) -> berth::Options {
        berth::Options { runtime: runtime.to_owned(), ..self.options() }
    }

    /// As [`Shim::options`], with crun behind a script: `case` holds branches by verb for it, such as `run) sleep 9 ;;`.
    pub fn options_through(&self, case: &str) -> berth::Options {
        let path = self.dir.join("runtime.sh");
        let verb = "for word; do case $word in run|create|start|exec|update|delete|pause) verb=$word; break;; --log) log=next;; *) [ \"$log\" = next ] && log=$word;; esac; done";
        let script = format!("#!/bin/sh\n{verb}\ncase $verb in {case} esac\nexec {RUNTIME} \"$@\"\n");
        fs::write(&path, script).expect("script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
        berth::Options { runtime: path.display().to_string(), run_on_start: true, ..self.options() }
    }

    /// A Create request with an overlay of two layers as the root filesystem.
    pub fn create_request(&self, options: &berth::Options, terminal: bool) -> task::CreateTaskRequest {
        let layers = bundle::make_layers(&self.dir).join(":");
        let [upper, work] = ["upper", "work"].map(|name| self.dir.join(name));
        for dir in [&upper, &work] {
            fs::create_dir_all(dir).expect("snapshot");
        }
        let named = |key: &str, path: &Path| format!("{key}={}", path.display());
        let options_of = vec![format!("lowerdir={layers}"), named("upperdir", &upper), named("workdir", &work)];
        let mount =
            Mount { r#type: "overlay".into(), source: "overlay".into(), options: options_of, ..Mount::default() };
        task::CreateTaskRequest {
            id: self.id.clone(),
            bundle: self.bundle.display().to_string(),
            rootfs: vec![mount],
            terminal,
            options: Some(Any { type_url: "berth.shim.v1.Options".into(), value: options.encode_to_vec() }),
            ..task::CreateTaskRequest::default()
        }
    }

    /// Create and Start; returns the container's pid.
    pub fn run(&mut self, options: &berth::Options, terminal: bool) -> u32 {
        let request = self.create_request(options, terminal);
        let _: task::CreateTaskResponse = self.call("Create", &request);
        let started: task::StartResponse =
            self.call("Start", &task::StartRequest { id: self.id.clone(), ..Default::default() });
        started.pid
    }

    /// A call of the Task service.
    pub fn try_call<Q: Message, A: Message + Default>(&mut self, method: &str, request: &Q) -> Result<A, Status> {
        self.client.call(TASK, method, request, Some(self.patience)).map_err(status)
    }

    pub fn call<Q: Message, A: Message + Default>(&mut self, method: &str, request: &Q) -> A {
        self.try_call(method, request).unwrap_or_else(|status| panic!("{method}: {status:?}"))
    }

    /// A call of berth's own service.
    pub fn container_call<Q: Message, A: Message + Default>(&mut self, method: &str, request: &Q) -> Result<A, Status> {
        self.client.call("berth.shim.v1.Container", method, request, Some(TIMEOUT)).map_err(status)
    }

    /// Waits for the main process or an exec; returns its exit status.
    pub fn wait(&mut self, exec_id: &str) -> u32 {
        let request = task::WaitRequest { id: self.id.clone(), exec_id: exec_id.to_owned() };
        self.call::<_, task::WaitResponse>("Wait", &request).exit_status
    }

    pub fn kill(&mut self, exec_id: &str, signal: u32, all: bool) -> Result<(), Status> {
        self.try_call("Kill", &task::KillRequest { id: self.id.clone(), exec_id: exec_id.to_owned(), signal, all })
    }

    pub fn delete(&mut self, exec_id: &str) -> Result<task::DeleteResponse, Status> {
        self.try_call("Delete", &task::DeleteRequest { id: self.id.clone(), exec_id: exec_id.to_owned() })
    }

    pub fn state(&mut self) -> task::StateResponse {
        self.call("State", &task::StateRequest { id: self.id.clone(), ..Default::default() })
    }

    pub fn pids(&mut self) -> Vec<u32> {
        let response: task::PidsResponse = self.call("Pids", &task::PidsRequest { id: self.id.clone() });
        response.processes.into_iter().map(|process| process.pid).collect()
    }

    /// The log's entries without their times.
    pub fn log(&self) -> Vec<String> {
        entries(&self.log_path())
    }

    /// The exit record, if it was written.
    pub fn exit_record(&self) -> serde_json::Value {
        let text = fs::read_to_string(self.exit_file()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Whether anything of ours is mounted where the shim lives.
    pub fn has_mounts(&self) -> bool {
        let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", self.pid)).unwrap_or_default();
        mounts.contains(&self.bundle.display().to_string())
    }

    /// `berth-shim delete`, as for a shim that is gone.
    pub fn delete_command(&self) -> Output {
        let bundle = self.bundle.display().to_string();
        let words = [SHIM, "-namespace", "it", "-id", &self.id, "-bundle", &bundle, "delete"];
        run_private(&self.dir, &words.map(str::to_owned))
    }

    /// How often the shim has gone to sleep so far.
    pub fn sleeps(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.and_then(|count| count.trim().parse().ok()).expect("a count")
    }

    /// Processes that the shim has not reaped yet, alive or not.
    pub fn children(&self) -> Vec<u32> {
        let text = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid)).unwrap_or_default();
        text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// A runtime process, which is none of the known children. One that has not executed its program yet holds the shim.
    pub fn runtime_beside(&self, known: &[u32]) -> Option<u32> {
        let program = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let runs = |pid: &u32| !known.contains(pid) && program(pid) != Path::new(SHIM) && program(pid) != Path::new("");
        self.children().into_iter().find(runs)
    }

    pub fn alive(&self) -> bool {
        lives(self.pid)
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        let _ = self.delete_command();
        // Still ours, and not somebody's who got its number: nobody else runs in this bundle.
        if fs::read_link(format!("/proc/{}/cwd", self.pid)).is_ok_and(|cwd| cwd.starts_with(&self.dir)) {
            signal(self.pid, rustix::process::Signal::KILL);
        }
        for root in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            let own = root.path().join(&self.id);
            eventually("cgroups are removed", || {
                let _ = fs::remove_dir(own.join("c"));
                fs::remove_dir(&own).is_ok() || !own.exists()
            });
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The peer's answer; anything else is the test's failure.
pub fn status(error: ClientError) -> Status {
    match error {
        ClientError::Status(status) => status,
        other => panic!("{other}"),
    }
}

fn run_private(cwd: &Path, words: &[String]) -> Output {
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--mount", "/bin/sh", "-c", PRIVATE, "private"]).args(words);
    command.current_dir(cwd).env_remove("TTRPC_ADDRESS").stdin(Stdio::null()).output().expect("unshare")
}

/// Makes a FIFO beside the bundle.
pub fn fifo(shim: &Shim, name: &str) -> PathBuf {
    let path = shim.dir.join(name);
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    path
}
