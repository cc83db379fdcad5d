//! Namespaces as the rest of the machine sees them.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::proto::{
    CreateNamespacesRequest, CreateNamespacesResponse, Empty, IdMapping, NetworkStatsRequest, NetworkStatsResponse,
    ReleaseNamespacesRequest,
};
use support::{Agent, Scratch, assert_fails, eventually, is_running, mounts_below, output, pause_path, text};
use ttrpc::Code;

fn pod(dir: &Path) -> CreateNamespacesRequest {
    CreateNamespacesRequest {
        dir: text(dir),
        net: true,
        ipc: true,
        uts: true,
        hostname: "pod-one".into(),
        sysctls: BTreeMap::from(
            [("net.ipv4.ip_unprivileged_port_start", "7"), ("kernel.shmmax", "123456"), ("fs.mqueue.msg_max", "11")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        ),
        ..Default::default()
    }
}

fn release(agent: &mut Agent, dir: &Path, pause_pid: i32) {
    let _: Empty =
        agent.call("ReleaseNamespaces", &ReleaseNamespacesRequest { dir: text(dir), pause_pid, pause_cgroups: vec![] });
}

fn inside(dir: &Path, kinds: &[&str], command: &[&str]) -> String {
    let flags: Vec<String> = kinds.iter().map(|kind| format!("--{kind}={}", text(&dir.join(kind)))).collect();
    let args: Vec<&str> = flags.iter().map(String::as_str).chain(["--"]).chain(command.iter().copied()).collect();
    output("nsenter", &args)
}

fn inode(path: impl AsRef<Path>) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn a_pods_namespaces_are_set_up_and_outlive_the_agent() {
    let scratch = Scratch::new();
    let dir = scratch.path("pod");
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let mut agent = Agent::start();
    let made: CreateNamespacesResponse = agent.call("CreateNamespaces", &pod(&dir));
    assert_eq!(made.pause_pid, 0);
    agent.kill();
    assert_eq!(inside(&dir, &["uts"], &["hostname"]), "pod-one");
    assert!(inside(&dir, &["net"], &["ip", "-o", "link", "show", "lo"]).contains("LOOPBACK,UP"));
    let sysctl = |kind: &str, file: &str| inside(&dir, &[kind], &["cat", file]);
    assert_eq!(sysctl("net", "/proc/sys/net/ipv4/ip_unprivileged_port_start"), "7");
    assert_eq!(sysctl("ipc", "/proc/sys/kernel/shmmax"), "123456");
    assert_eq!(sysctl("ipc", "/proc/sys/fs/mqueue/msg_max"), "11");
    for kind in ["net", "ipc", "uts"] {
        assert_ne!(inode(dir.join(kind)), inode(format!("/proc/self/ns/{kind}")), "{kind}");
    }
    assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), host);
    let mut next = Agent::start();
    release(&mut next, &dir, 0);
    assert!(!dir.exists() && mounts_below(&dir).is_empty());
    release(&mut next, &dir, 0);
}

#[test]
fn a_failure_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let mut agent = Agent::start();
    let mut attempt = |change: &dyn Fn(&mut CreateNamespacesRequest), code, words| {
        let dir = scratch.path("pod");
        let mut request = pod(&dir);
        change(&mut request);
        assert_fails(agent.try_call::<_, CreateNamespacesResponse>("CreateNamespaces", &request), code, words);
        assert!(!dir.exists() && mounts_below(&dir).is_empty());
    };
    let sysctl = |name: &'static str, value: &'static str| {
        move |request: &mut CreateNamespacesRequest| {
            request.sysctls.insert(name.into(), value.into());
        }
    };
    attempt(&sysctl("kernel.core_pattern", "|/bin/evil"), Code::InvalidArgument, "kernel.core_pattern");
    attempt(&sysctl("net.ipv4.conf.eth0.forwarding", "1"), Code::NotFound, "conf/eth0/forwarding");
    attempt(&sysctl("net.ipv4.ip_unprivileged_port_start", "x"), Code::Internal, "write sysctl");
    attempt(&|request| request.hostname = "h".repeat(65), Code::Internal, "hostname");
    attempt(&|request| (request.pid, request.pause_path) = (true, "/no/pause".into()), Code::NotFound, "/no/pause");
    let cgroups = |request: &mut CreateNamespacesRequest| {
        request.pid = true;
        request.pause_path = pause_path().into();
        request.pause_cgroups = vec!["/no/cgroup".into()];
    };
    attempt(&cgroups, Code::NotFound, "/no/cgroup/cgroup.procs");
    attempt(&|request| request.uid_mappings.push(IdMapping::default()), Code::InvalidArgument, "both");
    let nonsense = |request: &mut CreateNamespacesRequest| {
        request.uid_mappings.push(IdMapping::default());
        request.gid_mappings.push(IdMapping::default());
    };
    attempt(&nonsense, Code::InvalidArgument, "uid_map");
}

#[test]
fn namespaces_in_use_are_not_replaced() {
    let scratch = Scratch::new();
    let dir = scratch.path("pod");
    let mut agent = Agent::start();
    let _: CreateNamespacesResponse = agent.call("CreateNamespaces", &pod(&dir));
    let net = inode(dir.join("net"));
    let again = agent.try_call::<_, CreateNamespacesResponse>("CreateNamespaces", &pod(&dir));
    assert_fails(again, Code::AlreadyExists, "release it first");
    assert_eq!(inode(dir.join("net")), net);
    release(&mut agent, &dir, 0);
}

#[test]
fn the_pause_process_outlives_the_agent_and_ends_with_the_release() {
    let scratch = Scratch::new();
    let dir = scratch.path("pod");
    for known in [true, false] {
        let mut agent = Agent::start();
        let request = CreateNamespacesRequest { pid: true, pause_path: pause_path().into(), ..pod(&dir) };
        let made: CreateNamespacesResponse = agent.call("CreateNamespaces", &request);
        assert_eq!(inode(dir.join("pid")), inode(format!("/proc/{}/ns/pid", made.pause_pid)));
        for kind in ["net", "ipc", "uts"] {
            assert_eq!(inode(dir.join(kind)), inode(format!("/proc/{}/ns/{kind}", made.pause_pid)), "{kind}");
        }
        let status = fs::read_to_string(format!("/proc/{}/status", made.pause_pid)).unwrap();
        assert!(status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1")), "{status}");
        agent.hang_up();
        assert!(is_running(made.pause_pid));
        let mut next = Agent::start();
        release(&mut next, &dir, if known { made.pause_pid } else { 0 });
        eventually("pause is gone", || !is_running(made.pause_pid));
        assert!(!dir.exists());
    }
}

#[test]
fn a_release_does_not_kill_a_process_of_another_namespace() {
    let scratch = Scratch::new();
    let dir = scratch.path("pod");
    let mut agent = Agent::start();
    let request = CreateNamespacesRequest { pid: true, pause_path: pause_path().into(), ..pod(&dir) };
    let made: CreateNamespacesResponse = agent.call("CreateNamespaces", &request);
    let mut bystander = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
    release(&mut agent, &dir, bystander.id().cast_signed());
    assert!(bystander.try_wait().unwrap().is_none());
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(made.pause_pid).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
}

#[test]
fn a_user_namespace_owns_the_others() {
    let scratch = Scratch::new();
    let dir = scratch.path("pod");
    let mapping = IdMapping { container_id: 0, host_id: 100_000, length: 65_536 };
    let mut agent = Agent::start();
    let request = CreateNamespacesRequest {
        uid_mappings: vec![mapping],
        gid_mappings: vec![mapping],
        pid: true,
        pause_path: pause_path().into(),
        ..pod(&dir)
    };
    let made: CreateNamespacesResponse = agent.call("CreateNamespaces", &request);
    agent.kill();
    let map = inside(&dir, &["user"], &["cat", "/proc/self/uid_map"]);
    assert_eq!(map.split_whitespace().collect::<Vec<_>>(), ["0", "100000", "65536"]);
    assert_eq!(inode(dir.join("user")), inode(format!("/proc/{}/ns/user", made.pause_pid)));
    assert_eq!(fs::metadata(format!("/proc/{}", made.pause_pid)).unwrap().uid(), 100_000);
    // Only the owner of the network namespace may do this, and root of the user namespace is it.
    inside(&dir, &["user", "net"], &["ip", "link", "set", "lo", "down"]);
    assert_eq!(inside(&dir, &["uts"], &["hostname"]), "pod-one");
    assert_eq!(inside(&dir, &["ipc"], &["cat", "/proc/sys/kernel/shmmax"]), "123456");
    let mut next = Agent::start();
    release(&mut next, &dir, made.pause_pid);
    eventually("pause is gone", || !is_running(made.pause_pid));
    assert!(!dir.exists());
}

#[test]
fn counters_come_from_inside_the_namespace() {
    let scratch = Scratch::new();
    let dir = scratch.path("pod");
    let mut agent = Agent::start();
    let _: CreateNamespacesResponse = agent.call("CreateNamespaces", &pod(&dir));
    inside(
        &dir,
        &["net"],
        &["sh", "-c", "ip link add name veth7 type veth peer name veth8; ping -c1 -W1 127.0.0.1 || true"],
    );
    let request = NetworkStatsRequest { netns_path: text(&dir.join("net")) };
    let stats: NetworkStatsResponse = agent.call("NetworkStats", &request);
    let names: Vec<&str> = stats.interfaces.iter().map(|interface| interface.name.as_str()).collect();
    assert_eq!(names, ["lo", "veth8", "veth7"]);
    let wrong = NetworkStatsRequest { netns_path: text(&dir.join("uts")) };
    let refused = agent.try_call::<_, NetworkStatsResponse>("NetworkStats", &wrong);
    assert_fails(refused, Code::Internal, "enter the network namespace");
    release(&mut agent, &dir, 0);
}

#[test]
fn a_pause_process_lives_only_if_its_starter_lives_to_say_so() {
    let start = || {
        let (leash, stdin) = UnixStream::pair().unwrap();
        (Command::new(pause_path()).stdin(OwnedFd::from(stdin)).spawn().unwrap(), leash)
    };
    let (mut unwanted, leash) = start();
    drop(leash);
    unwanted.wait().unwrap();
    let (mut wanted, mut leash) = start();
    leash.read_exact(&mut [0; 6]).unwrap();
    leash.write_all(b"\n").unwrap();
    drop(leash);
    std::thread::sleep(Duration::from_millis(100));
    assert!(wanted.try_wait().unwrap().is_none());
    wanted.kill().unwrap();
    wanted.wait().unwrap();
}
