//! From Create to Shutdown, and what is left.

use std::time::Duration;

use prost::Message;
use prost_types::Any;
use rustix::process::Signal;
use ttrpc::{Client, Code};

use crate::bundle::Wish;
use crate::fixture::{Shim, TASK, runtimes, status};
use crate::observed::{eventually, lives, signal};
use crate::proto::berth::shim::v1 as berth;
use crate::proto::containerd::runc::v1 as runc;
use crate::proto::containerd::task::v3 as task;
use crate::proto::containerd::v1::types::Status;
use crate::proto::io::containerd::cgroups::v1::Metrics;

#[test]
fn a_container_lives_and_leaves_nothing() {
    let Some(mut shim) = Shim::start(&Wish { script: "echo hello; echo oops >&2; exit 7", ..Wish::default() }) else {
        return;
    };
    let request = shim.create_request(&shim.options(), false);
    let created: task::CreateTaskResponse = shim.call("Create", &request);
    assert!(created.pid > 1);
    assert_eq!(shim.state().status(), Status::Created);
    let started: task::StartResponse =
        shim.call("Start", &task::StartRequest { id: shim.id.clone(), ..Default::default() });
    assert_eq!(started.pid, created.pid);
    assert_eq!(shim.wait(""), 7);
    let mut log = shim.log();
    log.sort();
    assert_eq!(log, ["stderr F oops", "stdout F hello"]);
    let record = shim.exit_record();
    assert_eq!((&record["exitCode"], &record["oomKilled"]), (&7.into(), &false.into()));
    assert_eq!(record["exitedAt"].as_str().map(str::len), Some("2026-01-01T00:00:00.000000000Z".len()));
    assert_eq!(shim.state().status(), Status::Stopped);
    assert!(shim.has_mounts());
    let deleted = shim.delete("").expect("deleted");
    assert_eq!((deleted.pid, deleted.exit_status), (created.pid, 7));
    assert!(!shim.has_mounts());
    let _: () = shim.call("Shutdown", &task::ShutdownRequest { id: shim.id.clone(), now: false });
    eventually("the shim ends", || !shim.alive());
    assert!(!shim.socket.exists());
}

#[test]
fn run_on_start_is_one_call_of_the_runtime_and_explains_itself() {
    let Some(mut shim) = Shim::start(&Wish { script: "sleep 1000", ..Wish::default() }) else { return };
    let options = berth::Options { run_on_start: true, ..shim.options() };
    let pid = shim.run(&options, false);
    assert_eq!(shim.state().status(), Status::Running);
    assert!(shim.pids().contains(&pid));
    let described: berth::DescribeResponse =
        shim.container_call("Describe", &berth::DescribeRequest {}).expect("described");
    assert_eq!(described.micros.keys().collect::<Vec<_>>(), ["oci-run", "rootfs"]);
    shim.kill("", 9, true).expect("killed");
    assert_eq!(shim.wait(""), 137);
}

/// The kernel shows an ended process in the root cgroup: what the shim then takes for the container's is what Kill hits.
#[test]
fn a_container_that_ended_before_the_shim_looked_owns_no_other_processes() {
    let Some(mut shim) = Shim::start(&Wish { script: "exit 3", ..Wish::default() }) else { return };
    let options = berth::Options { run_on_start: true, ..shim.options() };
    let request = shim.create_request(&options, false);
    let _: task::CreateTaskResponse = shim.call("Create", &request);
    let start = task::StartRequest { id: shim.id.clone(), ..Default::default() };
    let mut other = Client::connect(&shim.socket).expect("connects");
    std::thread::scope(|scope| {
        let started = scope.spawn(|| other.call::<_, task::StartResponse>(TASK, "Start", &start, None));
        eventually("the runtime runs", || !shim.children().is_empty());
        signal(shim.pid, Signal::STOP);
        let ended = |pids: Vec<u32>| pids.len() > 1 && !pids.into_iter().any(lives);
        eventually("runtime and container have ended", || ended(shim.children()));
        signal(shim.pid, Signal::CONT);
        started.join().expect("no panic").expect("started");
    });
    assert_eq!(shim.wait(""), 3);
    assert_eq!(shim.pids(), [0_u32; 0]);
    shim.delete("").expect("deleted");
}

#[test]
fn a_program_that_does_not_exist_is_named_and_nothing_stays() {
    for run_on_start in [false, true] {
        let Some(mut shim) = Shim::start(&Wish { program: Some("/bin/absent"), ..Wish::default() }) else { return };
        let options = berth::Options { run_on_start, ..shim.options() };
        let request = shim.create_request(&options, false);
        let start = task::StartRequest { id: shim.id.clone(), ..Default::default() };
        let failed = shim
            .try_call::<_, task::CreateTaskResponse>("Create", &request)
            .and_then(|_| shim.try_call::<_, task::StartResponse>("Start", &start))
            .expect_err("cannot start");
        assert!(failed.message.contains("/bin/absent"), "{failed}");
        let _ = shim.delete("");
        assert!(!shim.has_mounts());
        let left = std::fs::read_dir(shim.dir.join("runtime")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "the runtime still knows the container");
    }
}

#[test]
fn the_shim_outlives_its_starter_and_takes_no_signal_for_an_end() {
    let starter = ["/bin/sh", "-c", "\"$@\"; kill -KILL $$", "starter"];
    let Some(mut shim) = Shim::start_by(&Wish { script: "sleep 1000", ..Wish::default() }, &starter) else { return };
    let runtime = runtimes().last().expect("a runtime");
    let options = shim.options_of(runtime);
    let pid = shim.run(&options, false);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    assert!(status.contains("SigBlk:\t0000000000000000\n"), "what the shim waits for reaches its container: {status}");
    for number in [Signal::TERM, Signal::INT, Signal::HUP, Signal::PIPE, Signal::QUIT, Signal::USR1, Signal::USR2] {
        signal(shim.pid, number);
    }
    let answer: task::ConnectResponse = shim.call("Connect", &task::ConnectRequest { id: shim.id.clone() });
    assert_eq!(answer.shim_pid, shim.pid);
    assert_eq!(shim.state().status(), Status::Running);
    let refused = shim.delete("").expect_err("it runs");
    assert_eq!(refused.code, Code::FailedPrecondition);
}

#[test]
fn containerds_namespaces_do_not_meet_at_the_runtime() {
    let Some(mut shim) = Shim::start(&Wish { script: "sleep 1000", ..Wish::default() }) else { return };
    let root = shim.dir.join("runtime");
    let options = runc::Options {
        binary_name: shim.options().runtime,
        root: root.display().to_string(),
        ..runc::Options::default()
    };
    let any = Any { type_url: "containerd.runc.v1.Options".into(), value: options.encode_to_vec() };
    let request = task::CreateTaskRequest { options: Some(any), ..shim.create_request(&shim.options(), false) };
    let _: task::CreateTaskResponse = shim.call("Create", &request);
    // The fixture's namespace.
    assert!(root.join("it").join(&shim.id).exists());
}

#[test]
fn a_second_start_is_refused_and_does_the_first_no_harm() {
    let Some(mut shim) = Shim::start(&Wish { script: "sleep 0.3; echo still here", ..Wish::default() }) else { return };
    let options = berth::Options { run_on_start: true, ..shim.options() };
    let request = shim.create_request(&options, false);
    let _: task::CreateTaskResponse = shim.call("Create", &request);
    let start = task::StartRequest { id: shim.id.clone(), ..Default::default() };
    let mut other = Client::connect(&shim.socket).expect("connects");
    let answers = std::thread::scope(|scope| {
        let second = scope.spawn(|| other.call::<_, task::StartResponse>(TASK, "Start", &start, None));
        let first = shim.try_call::<_, task::StartResponse>("Start", &start);
        [first, second.join().expect("no panic").map_err(status)]
    });
    let refused: Vec<Code> = answers.into_iter().filter_map(Result::err).map(|status| status.code).collect();
    assert_eq!(refused, [Code::FailedPrecondition]);
    assert_eq!(shim.wait(""), 0);
    assert_eq!(shim.log(), ["stdout F still here"]);
}

#[test]
fn limits_change_pause_holds_and_statistics_tell() {
    let wish = Wish { script: "while :; do :; done", memory_limit: Some(64 << 20), ..Wish::default() };
    let Some(mut shim) = Shim::start(&wish) else { return };
    let options = shim.options();
    shim.run(&options, false);
    let _: () = shim.call("Pause", &task::PauseRequest { id: shim.id.clone() });
    assert_eq!(shim.state().status(), Status::Paused);
    let still = cpu(&metrics(&mut shim));
    std::thread::sleep(Duration::from_millis(200));
    assert!(cpu(&metrics(&mut shim)) - still < 50_000_000);
    let _: () = shim.call("Resume", &task::ResumeRequest { id: shim.id.clone() });
    eventually("it runs again", || cpu(&metrics(&mut shim)) > still + 50_000_000);
    assert_eq!(memory_limit(&mut shim), 64 << 20);
    let limit = serde_json::json!({ "memory": { "limit": 96 << 20, "swap": 96 << 20 } }).to_string();
    let resources = Some(Any {
        type_url: "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources".into(),
        value: limit.into(),
    });
    let _: () = shim.call("Update", &task::UpdateTaskRequest { id: shim.id.clone(), resources, ..Default::default() });
    assert_eq!(memory_limit(&mut shim), 96 << 20);
}

fn metrics(shim: &mut Shim) -> Metrics {
    let answer: task::StatsResponse = shim.call("Stats", &task::StatsRequest { id: shim.id.clone() });
    let any = answer.stats.expect("statistics");
    assert_eq!(any.type_url, "io.containerd.cgroups.v1.Metrics");
    Metrics::decode(any.value.as_slice()).expect("metrics")
}

fn cpu(metrics: &Metrics) -> u64 {
    metrics.cpu.as_ref().and_then(|cpu| cpu.usage.as_ref()).map_or(0, |usage| usage.total)
}

fn memory_limit(shim: &mut Shim) -> u64 {
    metrics(shim).memory.and_then(|memory| memory.usage).map_or(0, |usage| usage.limit)
}
