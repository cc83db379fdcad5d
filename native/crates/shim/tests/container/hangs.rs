//! A runtime that hangs: its call ends in time, it and what it started die, and everything can be removed.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ttrpc::{Client, Code, Status};

use crate::bundle::Wish;
use crate::execs::exec;
use crate::fixture::{Shim, TASK, status};
use crate::observed::{cgroups_of, eventually};
use crate::proto::containerd::task::v3 as task;

const PATIENCE: Duration = Duration::from_secs(3);

/// A child of its own session, as a runtime's first process in the container is one.
const HANG: &str = "echo no way on >&2; setsid sleep 1001 & sleep 1002 ;;";

fn created(case: &str) -> Option<Shim> {
    let mut shim = Shim::start(&Wish { script: "sleep 1000", ..Wish::default() })?;
    let request = shim.create_request(&shim.options_through(case), false);
    let _: task::CreateTaskResponse = shim.call("Create", &request);
    Some(shim)
}

fn started(case: &str) -> Option<Shim> {
    let mut shim = created(case)?;
    start(&mut shim).expect("started");
    Some(shim)
}

fn start(shim: &mut Shim) -> Result<task::StartResponse, Status> {
    shim.try_call("Start", &task::StartRequest { id: shim.id.clone(), ..Default::default() })
}

fn impatiently<T>(shim: &mut Shim, call: impl FnOnce(&mut Shim) -> T) -> T {
    let before = std::mem::replace(&mut shim.patience, PATIENCE);
    let result = call(shim);
    shim.patience = before;
    result
}

fn nothing_is_left(shim: &mut Shim) {
    eventually("no process is left", || shim.children().is_empty());
    shim.delete("").expect("deleted");
    assert!(!shim.has_mounts());
    assert_eq!(cgroups_of(&shim.id), Vec::<PathBuf>::new());
    let state = fs::read_dir(shim.dir.join("runtime")).into_iter().flatten();
    assert_eq!(state.count(), 0);
}

#[test]
fn a_start_ends_at_its_deadline_with_all_that_the_runtime_began() {
    let Some(mut shim) = created(&format!("run) {HANG}")) else { return };
    let late = impatiently(&mut shim, start).expect_err("it hangs");
    assert_eq!(late.code, Code::DeadlineExceeded);
    assert!(late.message.contains("runtime.sh run: no way on (ended by signal 9); it was killed after"), "{late:?}");
    nothing_is_left(&mut shim);
}

#[test]
fn what_a_cut_start_has_already_made_dies_with_it() {
    let Some(mut shim) = created("run) /usr/bin/crun \"$@\"; sleep 1001 ;;") else { return };
    assert_eq!(impatiently(&mut shim, start).expect_err("it hangs").code, Code::DeadlineExceeded);
    nothing_is_left(&mut shim);
}

#[test]
fn a_kill_ends_a_start_that_hangs() {
    let Some(mut shim) = created(&format!("run) {HANG}")) else { return };
    let mut starter = Client::connect(&shim.socket).expect("connects");
    let request = task::StartRequest { id: shim.id.clone(), ..Default::default() };
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| starter.call::<_, task::StartResponse>(TASK, "Start", &request, None));
        eventually("the runtime runs", || shim.runtime_beside(&[]).is_some());
        shim.kill("", 9, true).expect("killed");
        let ended = status(waiting.join().expect("no panic").expect_err("killed"));
        assert_eq!(ended.code, Code::Aborted);
    });
    nothing_is_left(&mut shim);
}

#[test]
fn an_exec_or_an_update_that_hangs_costs_the_container_nothing() {
    let Some(mut shim) = started(&format!("exec|update|pause) {HANG}")) else { return };
    let late = impatiently(&mut shim, |shim| exec(shim, "e1", "true", 10)).expect_err("it hangs");
    assert_eq!(late.code, Code::DeadlineExceeded);
    assert!(late.message.contains("no way on"), "{late:?}");
    shim.delete("e1").expect("deleted");
    let resources = Some(prost_types::Any { type_url: "oci".into(), value: b"{}".to_vec() });
    let update = task::UpdateTaskRequest { id: shim.id.clone(), resources, ..Default::default() };
    let late = impatiently(&mut shim, |shim| shim.try_call::<_, ()>("Update", &update)).expect_err("it hangs");
    assert_eq!(late.code, Code::DeadlineExceeded);
    let pause = task::PauseRequest { id: shim.id.clone() };
    let late = impatiently(&mut shim, |shim| shim.try_call::<_, ()>("Pause", &pause)).expect_err("it hangs");
    assert_eq!(late.code, Code::DeadlineExceeded);
    let init = shim.state().pid;
    eventually("only the container is left", || shim.children() == [init]);
    shim.kill("", 9, true).expect("killed");
    assert_eq!(shim.wait(""), 137);
    nothing_is_left(&mut shim);
}

#[test]
fn a_delete_that_hangs_is_done_without_the_runtime() {
    let Some(mut shim) = started(&format!("delete) {HANG}")) else { return };
    shim.kill("", 9, true).expect("killed");
    assert_eq!(shim.wait(""), 137);
    assert_eq!(impatiently(&mut shim, |shim| shim.delete("")).expect("deleted").exit_status, 137);
    assert!(!shim.has_mounts());
    assert_eq!(cgroups_of(&shim.id), Vec::<PathBuf>::new());
    assert_eq!(fs::read_dir(shim.dir.join("runtime")).expect("root").count(), 0);
    eventually("no process is left", || shim.children().is_empty());
}

#[test]
fn a_shim_is_buried_with_a_runtime_that_hangs_and_goes_by_another_name() {
    let Some(shim) = created("run) setsid sleep 1001 & exec sleep 1002 ;; delete) exec sleep 1003 ;;") else {
        return;
    };
    let mut starter = Client::connect(&shim.socket).expect("connects");
    let request = task::StartRequest { id: shim.id.clone(), ..Default::default() };
    std::thread::scope(|scope| {
        scope.spawn(|| starter.call::<_, task::StartResponse>(TASK, "Start", &request, None));
        eventually("the runtime runs", || !shim.children().is_empty());
        let marked = || {
            let environs = fs::read_dir("/proc").expect("proc").flatten().map(|entry| entry.path().join("environ"));
            let mark = format!("BERTH_CONTAINER={}", shim.id);
            environs
                .filter(|path| fs::read(path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(&mark)))
                .count()
        };
        eventually("both processes run", || marked() == 2);
        let output = shim.delete_command();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(marked(), 0);
        assert!(!shim.alive());
    });
}
