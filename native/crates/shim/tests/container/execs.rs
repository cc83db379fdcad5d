//! Exec: output, exit codes, limits, and children that stay behind.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use prost_types::Any;
use rustix::process::Signal;
use ttrpc::{Client, Code, Status};

use crate::bundle::{Wish, process};
use crate::fixture::{Shim, TASK, fifo};
use crate::observed::{eventually, signal};
use crate::proto::berth::shim::v1 as berth;
use crate::proto::containerd::task::v3 as task;

/// A container that waits for execs.
pub fn idle() -> Option<Shim> {
    let mut shim = Shim::start(&Wish { script: "sleep 1000", ..Wish::default() })?;
    let options = shim.options();
    shim.run(&options, false);
    Some(shim)
}

/// Where an exec's output goes.
fn output(shim: &Shim, exec_id: &str, stream: &str) -> PathBuf {
    shim.dir.join(format!("{exec_id}.{stream}"))
}

pub fn exec(shim: &mut Shim, exec_id: &str, script: &str, limit: u64) -> Result<u32, Status> {
    prepare(shim, exec_id, script, limit)?;
    start(shim, exec_id)
}

fn prepare(shim: &mut Shim, exec_id: &str, script: &str, limit: u64) -> Result<(), Status> {
    let uri = |shim: &Shim, stream| format!("file://{}?limit={limit}", output(shim, exec_id, stream).display());
    let spec = Any { type_url: "oci".into(), value: process(script, false).to_string().into() };
    let request = task::ExecProcessRequest {
        id: shim.id.clone(),
        exec_id: exec_id.into(),
        stdout: uri(shim, "out"),
        stderr: uri(shim, "err"),
        spec: Some(spec),
        ..Default::default()
    };
    shim.try_call("Exec", &request)
}

fn start(shim: &mut Shim, exec_id: &str) -> Result<u32, Status> {
    let request = task::StartRequest { id: shim.id.clone(), exec_id: exec_id.into() };
    shim.try_call::<_, task::StartResponse>("Start", &request).map(|started| started.pid)
}

fn read(shim: &Shim, exec_id: &str, stream: &str) -> String {
    fs::read_to_string(output(shim, exec_id, stream)).expect("output")
}

#[test]
fn both_outputs_and_the_exit_code_arrive() {
    let Some(mut shim) = idle() else { return };
    exec(&mut shim, "e1", "echo out; echo err >&2; exit 5", 100).expect("started");
    assert_eq!(shim.wait("e1"), 5);
    assert_eq!((read(&shim, "e1", "out").as_str(), read(&shim, "e1", "err").as_str()), ("out\n", "err\n"));
    assert_eq!(shim.delete("e1").expect("deleted").exit_status, 5);
    assert_eq!(shim.delete("e1").expect_err("gone").code, Code::NotFound);
    let left = fs::read_dir(&shim.bundle).expect("bundle").flatten().map(|entry| entry.file_name());
    assert_eq!(left.filter(|name| name.to_string_lossy().starts_with("exec-")).count(), 0);
}

#[test]
fn output_over_the_limit_is_drained_and_dropped() {
    let Some(mut shim) = idle() else { return };
    exec(&mut shim, "e1", "yes | head -c 3000000; exit 2", 100_000).expect("started");
    assert_eq!(shim.wait("e1"), 2);
    assert_eq!(read(&shim, "e1", "out").len(), 100_000);
}

#[test]
fn a_background_child_holds_an_exit_back_for_a_moment_only() {
    let Some(mut shim) = idle() else { return };
    exec(&mut shim, "e1", "(until [ -e /go ]; do sleep 0.05; done; echo late; sleep 1000) & echo first", 1000)
        .expect("started");
    assert_eq!(shim.wait("e1"), 0);
    assert_eq!(read(&shim, "e1", "out"), "first\n");
    exec(&mut shim, "e2", "touch /go", 10).expect("started");
    assert_eq!(shim.wait("e2"), 0);
    // What it writes later is still taken: a full pipe would stop it.
    eventually("the late line", || read(&shim, "e1", "out") == "first\nlate\n");
}

/// What stays behind and has nobody to write to any more is told so, instead of waiting for ever.
#[test]
fn a_child_that_writes_to_a_client_that_left_ends() {
    let Some(mut shim) = idle() else { return };
    let stdout = fifo(&shim, "out");
    // Never waits, and is there before the process.
    let reader = fs::OpenOptions::new().read(true).write(true).open(&stdout).expect("opens");
    let spec = Some(Any { type_url: "oci".into(), value: process("yes &", false).to_string().into() });
    let stdout = stdout.display().to_string();
    let request =
        task::ExecProcessRequest { id: shim.id.clone(), exec_id: "e1".into(), stdout, spec, ..Default::default() };
    let _: () = shim.call("Exec", &request);
    start(&mut shim, "e1").expect("started");
    assert_eq!(shim.wait("e1"), 0);
    assert_eq!(shim.pids().len(), 2);
    drop(reader);
    eventually("the child ends", || shim.pids().len() == 1);
}

#[test]
fn kill_reaches_an_exec_alone() {
    let Some(mut shim) = idle() else { return };
    exec(&mut shim, "e1", "exec sleep 1000", 10).expect("started");
    shim.kill("e1", 9, true).expect("killed");
    assert_eq!(shim.wait("e1"), 137);
    assert_eq!(shim.kill("e1", 9, false).expect_err("gone").code, Code::NotFound);
    exec(&mut shim, "e2", "true", 10).expect("the container still runs");
    assert_eq!(shim.wait("e2"), 0);
}

/// berthd may give up on an exec while the runtime still starts it.
#[test]
fn kill_reaches_an_exec_that_is_just_starting() {
    let Some(mut shim) = idle() else { return };
    prepare(&mut shim, "e1", "exec sleep 1000", 10).expect("prepared");
    let [mut starter, mut killer] = [(); 2].map(|()| Client::connect(&shim.socket).expect("connects"));
    let request = task::StartRequest { id: shim.id.clone(), exec_id: "e1".into() };
    let kill = task::KillRequest { id: shim.id.clone(), exec_id: "e1".into(), signal: 9, all: false };
    let init = shim.state().pid;
    std::thread::scope(|scope| {
        let started = scope.spawn(|| starter.call::<_, task::StartResponse>(TASK, "Start", &request, None));
        let mut runtime = None;
        eventually("the runtime runs", || {
            runtime = shim.runtime_beside(&[init]);
            runtime.is_some()
        });
        signal(runtime.expect("found"), Signal::STOP);
        let killed = scope.spawn(|| killer.call::<_, ()>(TASK, "Kill", &kill, None));
        std::thread::sleep(Duration::from_millis(50));
        signal(runtime.expect("found"), Signal::CONT);
        killed.join().expect("no panic").expect("killed");
        started.join().expect("no panic").expect("started");
    });
    assert_eq!(shim.wait("e1"), 137);
    assert_eq!(start(&mut shim, "e1").expect_err("a second time").code, Code::FailedPrecondition);
}

/// What a berthd that crashed left.
#[test]
fn all_execs_end_at_once_and_are_forgotten_however_far_they_are() {
    let Some(mut shim) = idle() else { return };
    exec(&mut shim, "ended", "true", 10).expect("started");
    shim.wait("ended");
    exec(&mut shim, "running", "exec sleep 1000", 10).expect("started");
    prepare(&mut shim, "prepared", "true", 10).expect("prepared");
    prepare(&mut shim, "starting", "exec sleep 1000", 10).expect("prepared");
    let mut starter = Client::connect(&shim.socket).expect("connects");
    let request = task::StartRequest { id: shim.id.clone(), exec_id: "starting".into() };
    let known = shim.children();
    std::thread::scope(|scope| {
        let started = scope.spawn(|| starter.call::<_, task::StartResponse>(TASK, "Start", &request, None));
        let mut runtime = None;
        eventually("the runtime runs", || {
            runtime = shim.runtime_beside(&known);
            runtime.is_some()
        });
        signal(runtime.expect("found"), Signal::STOP);
        let _: berth::EndExecsResponse = shim.container_call("EndExecs", &berth::EndExecsRequest {}).expect("ended");
        signal(runtime.expect("found"), Signal::CONT);
        started.join().expect("no panic").expect("started");
    });
    eventually("only the main process is left", || shim.pids().len() == 1);
    for exec_id in ["ended", "running", "prepared", "starting"] {
        eventually("it is forgotten", || shim.delete(exec_id).is_err_and(|status| status.code == Code::NotFound));
    }
    exec(&mut shim, "running", "exit 4", 10).expect("the id is free");
    assert_eq!(shim.wait("running"), 4);
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let Some(mut shim) = idle() else { return };
    let mut missing = process("", false);
    missing["args"] = serde_json::json!(["/bin/absent"]);
    let spec = Some(Any { type_url: "oci".into(), value: missing.to_string().into() });
    let request = task::ExecProcessRequest { id: shim.id.clone(), exec_id: "e1".into(), spec, ..Default::default() };
    let _: () = shim.call("Exec", &request);
    let failed = start(&mut shim, "e1").expect_err("cannot start");
    assert!(failed.message.contains("/bin/absent"), "{failed}");
    shim.delete("e1").expect("deleted");
}

#[test]
fn many_at_once_do_not_mix() {
    let Some(mut shim) = idle() else { return };
    for number in 0..8 {
        exec(&mut shim, &format!("e{number}"), &format!("echo {number}; exit {number}"), 10).expect("started");
    }
    for number in 0..8 {
        assert_eq!(shim.wait(&format!("e{number}")), number);
        assert_eq!(read(&shim, &format!("e{number}"), "out"), format!("{number}\n"));
    }
}
