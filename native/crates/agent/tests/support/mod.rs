//! A real agent on a socketpair, and a scratch directory that cleans up after any outcome.

#![allow(clippy::unwrap_used, dead_code)]

use std::fmt::Debug;
use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use prost::Message;
use sha2::{Digest, Sha256};
use ttrpc::{Client, ClientError, Code, Frame, MessageType, Status};

pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/berth.agent.v1.rs"));
}

use proto::{FilesystemMount, MountRequest, UnmountRequest, UnpackRequest, UnpackResponse};

pub struct Agent {
    pub process: Child,
    /// `None` once we hung up.
    client: Option<Client>,
    raw: Option<UnixStream>,
}

impl Agent {
    /// On /tmp, spelt as nobody else does: agents of other tests must be left alone.
    pub fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let dots = "./".repeat(COUNT.fetch_add(1, Ordering::Relaxed) as usize);
        Self::start_on(Path::new(&format!("/proc/{}/root/{dots}tmp", std::process::id())))
    }

    pub fn start_on(root: &Path) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let process = Command::new("/bin/sh")
            .args(["-c", "exec \"$0\" --fd 3 --root \"$1\" 3<&0 </dev/null", env!("CARGO_BIN_EXE_berth-agent")])
            .arg(root)
            .stdin(OwnedFd::from(theirs))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let raw = ours.try_clone().unwrap();
        Self { process, client: Some(Client::new(ours)), raw: Some(raw) }
    }

    /// Makes a call without waiting for its answer.
    pub fn send<Q: Message>(&mut self, method: &str, request: &Q) {
        let request = ttrpc::Request {
            service: "berth.agent.v1.Agent".into(),
            method: method.into(),
            payload: request.encode_to_vec(),
            ..Default::default()
        };
        let payload = request.encode_to_vec();
        let frame = Frame { stream_id: 1001, kind: MessageType::Request, flags: 0, payload };
        self.raw.as_mut().unwrap().write_all(&frame.encode().unwrap()).unwrap();
    }

    pub fn try_call<Q: Message, A: Message + Default>(&mut self, method: &str, request: &Q) -> Result<A, Status> {
        let client = self.client.as_mut().unwrap();
        match client.call("berth.agent.v1.Agent", method, request, Some(Duration::from_secs(30))) {
            Ok(answer) => Ok(answer),
            Err(ClientError::Status(status)) => Err(status),
            Err(error) => panic!("{method}: {error}"),
        }
    }

    pub fn call<Q: Message + Debug, A: Message + Default>(&mut self, method: &str, request: &Q) -> A {
        self.try_call(method, request).unwrap_or_else(|status| panic!("{method} {request:?}: {status:?}"))
    }

    pub fn mount(&mut self, mount: FilesystemMount, target: &Path) {
        let request = MountRequest { mount: Some(mount), target: text(target) };
        let _: proto::Empty = self.call("Mount", &request);
    }

    pub fn unmount(&mut self, target: &Path) {
        let _: proto::Empty = self.call("Unmount", &UnmountRequest { target: text(target) });
    }

    pub fn unpack(&mut self, tar: &[u8], scratch: &Scratch, dir: &Path) -> Result<UnpackResponse, Status> {
        let blob = scratch.path("blob");
        fs::write(&blob, tar).unwrap();
        let hex: String = Sha256::digest(tar).iter().map(|byte| format!("{byte:02x}")).collect();
        let request = UnpackRequest {
            id: "test-layer".into(),
            blob: text(&blob),
            media_type: "application/vnd.oci.image.layer.v1.tar".into(),
            diff_id: format!("sha256:{hex}"),
            dir: text(dir),
            ..Default::default()
        };
        self.try_call("Unpack", &request)
    }

    /// Closes the connection, as berthd does, and waits for the end.
    pub fn hang_up(&mut self) -> i32 {
        (self.client, self.raw) = (None, None);
        self.process.wait().unwrap().code().unwrap_or(-1)
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        (self.client, self.raw) = (None, None);
        let _ = self.process.wait();
    }
}

pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("berth-agent-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn mkdir(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for point in mounts_below(&self.0).iter().rev() {
            let _ = rustix::mount::unmount(point, rustix::mount::UnmountFlags::DETACH);
        }
        layer::remove_tree(&self.0).unwrap();
    }
}

pub fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points = table.lines().map(|line| PathBuf::from(line.split(' ').nth(4).unwrap()));
    points.filter(|point| point.starts_with(dir)).collect()
}

pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Runs a command and returns what it printed.
pub fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !holds() {
        assert!(Instant::now() < deadline, "not within five seconds: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A process that is there and no zombie.
pub fn is_running(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// The workspace's own pause process, built if need be.
pub fn pause_path() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        // Into the directory that the agent under test is in.
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let built =
            Command::new(env!("CARGO")).args(["build", "-q", "-p", "pause", "--profile", profile]).status().unwrap();
        assert!(built.success());
        text(&Path::new(env!("CARGO_BIN_EXE_berth-agent")).with_file_name("berth-pause"))
    })
}

pub fn assert_fails<T: Debug>(result: Result<T, Status>, code: Code, words: &str) {
    match result {
        Err(status) if status.code == code && status.message.contains(words) => {}
        other => panic!("expected {code:?} with {words:?}, got {other:?}"),
    }
}
