//! Cgroups that are removed, frozen or left behind by others.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use prost_types::Any;
use rustix::process::Signal;

use crate::bundle::{Wish, process};
use crate::fixture::{Shim, runtimes};
use crate::observed::{cgroups_of, eventually, lives, signal};
use crate::proto::berth::shim::v1 as berth;
use crate::proto::containerd::task::v3 as task;

/// The container's directory in a hierarchy of version 1; `None` where there is no such hierarchy.
fn dir(shim: &Shim, controller: &str) -> Option<PathBuf> {
    let dir = Path::new("/sys/fs/cgroup").join(controller).join(&shim.id).join("c");
    if !dir.exists() {
        println!("skipped: the controller {controller} of cgroup version 1 is needed");
        return None;
    }
    Some(dir)
}

/// Does what systemd does with a scope while `work` runs: the cgroup goes as soon as its last process has ended.
fn while_removing<T>(dir: &Path, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while fs::remove_dir(dir).is_err() && !done.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        result
    })
}

#[test]
fn running_out_of_memory_is_known_when_the_cgroup_is_gone_before_the_process_is_reaped() {
    // Like systemd's removal, this is a race; each round is one.
    for _ in 0..3 {
        let script = "sleep 0.1; exec dd if=/dev/zero of=/dev/null bs=40M";
        let Some(mut shim) = Shim::start(&Wish { script, memory_limit: Some(16 << 20), ..Wish::default() }) else {
            return;
        };
        let options = shim.options();
        shim.run(&options, false);
        let Some(memory) = dir(&shim, "memory") else { return };
        assert_eq!(while_removing(&memory, || shim.wait("")), 137);
        assert_eq!(shim.exit_record()["oomKilled"], true);
    }
}

#[test]
fn a_kill_by_somebody_is_none_for_memory_when_the_cgroup_is_gone() {
    let wish = Wish { script: "sleep 1000", memory_limit: Some(16 << 20), ..Wish::default() };
    let Some(mut shim) = Shim::start(&wish) else { return };
    let options = shim.options();
    let pid = shim.run(&options, false);
    let Some(memory) = dir(&shim, "memory") else { return };
    signal(pid, Signal::KILL);
    assert_eq!(while_removing(&memory, || shim.wait("")), 137);
    assert_eq!(shim.exit_record()["oomKilled"], false);
}

/// The container's cgroup in the hierarchy that freezes.
fn freezer(shim: &Shim) -> Option<PathBuf> {
    let unified = Path::new("/sys/fs/cgroup").join(&shim.id).join("c");
    if unified.exists() { Some(unified) } else { dir(shim, "freezer") }
}

/// The file that freezes a cgroup, and what it says of one that is and one that is not.
fn state(cgroup: &Path) -> (PathBuf, [&'static str; 2]) {
    let [v1, v2] = ["freezer.state", "cgroup.freeze"].map(|name| cgroup.join(name));
    if v2.exists() { (v2, ["1", "0"]) } else { (v1, ["FROZEN", "THAWED"]) }
}

fn is_frozen(cgroup: &Path) -> bool {
    let (file, [frozen, _]) = state(cgroup);
    fs::read_to_string(file).is_ok_and(|state| state.trim() == frozen)
}

fn freeze(cgroup: &Path) {
    let (file, [frozen, _]) = state(cgroup);
    // Version 1 misses a process that is just being made, and holds one for ever that execs while its threads stand still.
    eventually("it is frozen", || {
        thaw(cgroup);
        fs::write(&file, frozen).expect("frozen");
        thread::sleep(Duration::from_millis(20));
        is_frozen(cgroup)
    });
}

fn thaw(cgroup: &Path) {
    let (file, [_, thawed]) = state(cgroup);
    fs::write(file, thawed).expect("thawed");
}

#[test]
fn a_frozen_container_is_killed_and_deleted() {
    for runtime in runtimes() {
        for above in [false, true] {
            let Some(mut shim) = Shim::start(&Wish { script: "sleep 1000 & wait", ..Wish::default() }) else { return };
            let options = shim.options_of(runtime);
            let pid = shim.run(&options, false);
            let Some(freezer) = freezer(&shim) else { return };
            let cgroup = if above { freezer.parent().expect("a parent") } else { &freezer };
            freeze(cgroup);
            shim.kill("", 9, false).expect("killed");
            assert_eq!(shim.wait(""), 137, "{runtime}");
            assert!(!lives(pid));
            shim.delete("").expect("deleted");
            assert_eq!(cgroups_of(&shim.id), Vec::<PathBuf>::new(), "{runtime}");
            if above {
                assert!(is_frozen(cgroup));
                thaw(cgroup);
            }
        }
    }
}

#[test]
fn a_frozen_container_of_a_lost_shim_is_cleared_up() {
    let Some(mut shim) = Shim::start(&Wish { script: "sleep 1000 & wait", ..Wish::default() }) else { return };
    let options = shim.options();
    let pid = shim.run(&options, false);
    let Some(freezer) = freezer(&shim) else { return };
    freeze(&freezer);
    signal(shim.pid, Signal::KILL);
    assert!(shim.delete_command().status.success());
    eventually("the container is gone", || !lives(pid));
    assert_eq!(cgroups_of(&shim.id), Vec::<PathBuf>::new());
}

#[test]
fn an_exec_in_a_frozen_container_is_killed_and_the_container_stays_as_it_is() {
    let Some(mut shim) = Shim::start(&Wish { script: "sleep 1000", ..Wish::default() }) else { return };
    let options = shim.options();
    let main = shim.run(&options, false);
    let spec = Any { type_url: "oci".into(), value: process("sleep 1000", false).to_string().into() };
    let asked =
        task::ExecProcessRequest { id: shim.id.clone(), exec_id: "e1".into(), spec: Some(spec), ..Default::default() };
    let _: () = shim.call("Exec", &asked);
    let start = task::StartRequest { id: shim.id.clone(), exec_id: "e1".into() };
    let _: task::StartResponse = shim.call("Start", &start);
    let Some(freezer) = freezer(&shim) else { return };
    freeze(&freezer);
    shim.kill("e1", 9, false).expect("killed");
    assert_eq!(shim.wait("e1"), 137);
    assert!(is_frozen(&freezer));
    assert!(lives(main));
    thaw(&freezer);
}

/// runc does so where those whom it killed take a while to end: here a wrapper makes the cgroup anew, with a process in it.
#[test]
fn a_cgroup_that_the_runtimes_delete_leaves_is_removed() {
    let Some(mut shim) = Shim::start(&Wish { script: "true", ..Wish::default() }) else { return };
    let wrapper = shim.dir.join("wrapper");
    let root = Path::new("/sys/fs/cgroup");
    let tree = if root.join("cgroup.controllers").exists() { root.to_owned() } else { root.join("pids") };
    let left = tree.join(&shim.id).join("c");
    let script = format!(
        "#!/bin/sh\n{} \"$@\" || exit\ncase \" $* \" in *' delete '*) mkdir -p {left}; sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >{left}/cgroup.procs;; esac\n",
        shim.options().runtime,
        left = left.display(),
    );
    fs::write(&wrapper, script).expect("a wrapper");
    fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("made executable");
    let options = berth::Options { runtime: wrapper.display().to_string(), ..shim.options() };
    shim.run(&options, false);
    assert_eq!(shim.wait(""), 0);
    shim.delete("").expect("deleted");
    assert_eq!(cgroups_of(&shim.id), Vec::<PathBuf>::new());
}
