//! How containers end, and shims.

use prost::Message;
use rustix::process::Signal;
use ttrpc::Code;

use crate::bundle::Wish;
use crate::fixture::Shim;
use crate::observed::{cgroups_of, eventually, lives, signal};
use crate::proto::berth::shim::v1 as berth;
use crate::proto::containerd::task::v3 as task;

#[test]
fn signals_arrive_and_an_ended_container_takes_none() {
    let script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.02; done";
    let Some(mut shim) = Shim::start(&Wish { script, ..Wish::default() }) else { return };
    let options = shim.options();
    shim.run(&options, false);
    eventually("the trap is set", || shim.log() == ["stdout F ready"]);
    assert_eq!(shim.kill("", 99, false).expect_err("no signal").code, Code::InvalidArgument);
    shim.kill("", 15, false).expect("killed");
    assert_eq!(shim.wait(""), 3);
    assert_eq!(shim.kill("", 15, false).expect_err("gone").code, Code::NotFound);
}

#[test]
fn running_out_of_memory_is_recorded_before_anyone_hears_of_the_exit() {
    let wish = Wish { script: "dd if=/dev/zero of=/dev/null bs=40M", memory_limit: Some(16 << 20), ..Wish::default() };
    let Some(mut shim) = Shim::start(&wish) else { return };
    let options = shim.options();
    shim.run(&options, false);
    assert_eq!(shim.wait(""), 137);
    assert_eq!(shim.exit_record()["oomKilled"], true);
}

#[test]
fn a_container_whose_runtime_is_gone_is_deleted_all_the_same() {
    let Some(mut shim) = Shim::start(&Wish { script: "true", ..Wish::default() }) else { return };
    let runtime = shim.dir.join("crun");
    let crun = shim.options().runtime;
    std::os::unix::fs::symlink(crun, &runtime).expect("linked");
    let options = berth::Options { runtime: runtime.display().to_string(), ..shim.options() };
    shim.run(&options, false);
    assert_eq!(shim.wait(""), 0);
    std::fs::remove_file(&runtime).expect("removed");
    shim.delete("").expect("deleted");
    assert!(!shim.has_mounts());
    assert_eq!(cgroups_of(&shim.id), Vec::<std::path::PathBuf>::new());
    assert_eq!(std::fs::read_dir(&options.runtime_root).expect("root").count(), 0);
}

#[test]
fn a_start_that_fails_for_a_limit_leaves_no_cgroup() {
    for run_on_start in [true, false] {
        let wish = Wish { script: "true", memory_limit: Some(-5), ..Wish::default() };
        let Some(mut shim) = Shim::start(&wish) else { return };
        let options = berth::Options { run_on_start, ..shim.options() };
        let request = shim.create_request(&options, false);
        let made: Result<task::CreateTaskResponse, _> = shim.try_call("Create", &request);
        let start = task::StartRequest { id: shim.id.clone(), ..Default::default() };
        let started = made.and_then(|_| shim.try_call::<_, task::StartResponse>("Start", &start));
        assert!(started.expect_err("no such limit").message.contains("memory"));
        assert_eq!(cgroups_of(&shim.id), Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn a_kill_alone_is_not_taken_for_running_out_of_memory() {
    let wish = Wish { script: "sleep 1000", memory_limit: Some(16 << 20), ..Wish::default() };
    let Some(mut shim) = Shim::start(&wish) else { return };
    let options = shim.options();
    shim.run(&options, false);
    shim.kill("", 9, true).expect("killed");
    assert_eq!(shim.wait(""), 137);
    assert_eq!(shim.exit_record()["oomKilled"], false);
}

#[test]
fn the_exit_of_a_container_without_a_listener_is_on_disk() {
    let Some(mut shim) = Shim::start(&Wish { script: "exit 9", ..Wish::default() }) else { return };
    let options = shim.options();
    shim.run(&options, false);
    eventually("the record", || shim.exit_record()["exitCode"] == 9);
    assert_eq!(shim.wait(""), 9);
}

#[test]
fn delete_clears_up_after_a_shim_that_was_killed() {
    let Some(mut shim) = Shim::start(&Wish { script: "sleep 1000", ..Wish::default() }) else { return };
    let options = shim.options();
    let pid = shim.run(&options, false);
    signal(shim.pid, Signal::KILL);
    eventually("the shim is gone", || !shim.alive());
    let output = shim.delete_command();
    assert!(output.status.success(), "{output:?}");
    let answer = task::DeleteResponse::decode(output.stdout.as_slice()).expect("a DeleteResponse");
    assert_eq!(answer.exit_status, 137);
    assert!(answer.exited_at.is_some());
    assert!(!shim.socket.exists());
    eventually("the container is gone", || !lives(pid));
    assert!(shim.delete_command().status.success(), "a second time");
}

/// As at the shutdown of a node, where everybody gets SIGTERM and whoever is left over is waited for.
#[test]
fn a_shim_that_is_asked_to_end_does_so_when_its_container_has_ended_and_that_is_recorded() {
    for asked in [Signal::TERM, Signal::INT, Signal::QUIT] {
        for before in [true, false] {
            let script = if before { "trap 'exit 6' USR1; echo ready; while :; do sleep 0.02; done" } else { "exit 6" };
            let Some(mut shim) = Shim::start(&Wish { script, ..Wish::default() }) else { return };
            let options = shim.options();
            let pid = shim.run(&options, false);
            if before {
                signal(shim.pid, asked);
                assert_eq!(shim.state().pid, pid);
                eventually("the trap is set", || shim.log() == ["stdout F ready"]);
                shim.kill("", Signal::USR1.as_raw().cast_unsigned(), false).expect("killed");
            } else {
                assert_eq!(shim.wait(""), 6);
                assert!(shim.alive());
                signal(shim.pid, asked);
            }
            eventually("the shim ends", || !shim.alive());
            assert_eq!(shim.exit_record()["exitCode"], 6);
            assert!(!shim.socket.exists());
        }
    }
}

#[test]
fn a_shim_that_keeps_no_process_ends_when_it_is_asked_to() {
    for created in [true, false] {
        let Some(mut shim) = Shim::start(&Wish { script: "true", ..Wish::default() }) else { return };
        if created {
            let options = berth::Options { run_on_start: true, ..shim.options() };
            let request = shim.create_request(&options, false);
            let _: task::CreateTaskResponse = shim.call("Create", &request);
        }
        signal(shim.pid, Signal::TERM);
        eventually("the shim ends", || !shim.alive());
        assert!(shim.delete_command().status.success());
        assert!(!shim.has_mounts());
    }
}

#[test]
fn a_container_that_was_only_made_is_kept() {
    let Some(mut shim) = Shim::start(&Wish { script: "true", ..Wish::default() }) else { return };
    let request = shim.create_request(&shim.options(), false);
    let created: task::CreateTaskResponse = shim.call("Create", &request);
    signal(shim.pid, Signal::TERM);
    assert_eq!(shim.state().pid, created.pid);
    shim.delete("").expect("deleted");
    eventually("the shim ends", || !shim.alive());
}

/// containerd names no place for the record, and asks a shim that is gone by its `delete`.
#[test]
fn the_end_that_a_shim_recorded_in_the_bundle_is_what_delete_tells() {
    let Some(mut shim) = Shim::start(&Wish { script: "exit 9", ..Wish::default() }) else { return };
    let options = berth::Options { exit_file: String::new(), ..shim.options() };
    let pid = shim.run(&options, false);
    assert_eq!(shim.wait(""), 9);
    signal(shim.pid, Signal::TERM);
    eventually("the shim ends", || !shim.alive());
    let output = shim.delete_command();
    let answer = task::DeleteResponse::decode(output.stdout.as_slice()).expect("a DeleteResponse");
    assert_eq!((answer.exit_status, answer.pid), (9, pid));
}
