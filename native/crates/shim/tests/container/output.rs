//! The container's log, its terminal and its FIFOs.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use ttrpc::Code;

use crate::bundle::Wish;
use crate::fixture::{Shim, fifo};
use crate::observed::{entries, eventually};
use crate::proto::berth::shim::v1 as berth;
use crate::proto::containerd::task::v3 as task;

#[test]
fn reopening_loses_and_repeats_no_line() {
    let script = "n=0; while [ $n -lt 3000 ]; do n=$((n+1)); echo line $n; done; sleep 0.2";
    let Some(mut shim) = Shim::start(&Wish { script, ..Wish::default() }) else { return };
    let options = shim.options();
    shim.run(&options, false);
    let mut parts = Vec::new();
    for turn in 0..10 {
        let rotated = shim.dir.join(format!("rotated-{turn}"));
        fs::rename(shim.log_path(), &rotated).expect("renamed");
        let _: berth::ReopenLogResponse =
            shim.container_call("ReopenLog", &berth::ReopenLogRequest {}).expect("reopened");
        assert!(shim.log_path().exists());
        parts.push((rotated.clone(), fs::metadata(&rotated).expect("rotated").len()));
        std::thread::sleep(Duration::from_millis(3));
    }
    shim.wait("");
    for (path, size) in &parts {
        assert_eq!(fs::metadata(path).expect("rotated").len(), *size, "{} grew", path.display());
    }
    let files = parts.into_iter().map(|(path, _)| path).chain([shim.log_path()]);
    let lines: Vec<String> = files.flat_map(|path| entries(&path)).collect();
    let expected: Vec<String> = (1..=3000).map(|n| format!("stdout F line {n}")).collect();
    assert_eq!(lines, expected);
    let refused = shim.container_call::<_, berth::ReopenLogResponse>("ReopenLog", &berth::ReopenLogRequest {});
    assert_eq!(refused.expect_err("stopped").code, Code::FailedPrecondition);
}

#[test]
fn output_without_an_end_of_line_and_of_stragglers_is_kept() {
    let script = "(sleep 1000) & printf 'no newline'";
    let Some(mut shim) = Shim::start(&Wish { script, ..Wish::default() }) else { return };
    let options = shim.options();
    shim.run(&options, false);
    assert_eq!(shim.wait(""), 0);
    eventually("the rest of the line", || shim.log() == ["stdout P no newline"]);
}

#[test]
fn a_terminal_has_a_size_and_its_lines_no_carriage_return() {
    let script = "trap 'stty size; exit 0' USR1; echo ready; while :; do sleep 0.02; done";
    let Some(mut shim) = Shim::start(&Wish { script, terminal: true, ..Wish::default() }) else { return };
    let options = shim.options();
    shim.run(&options, true);
    eventually("the trap is set", || shim.log() == ["stdout F ready"]);
    let resize = task::ResizePtyRequest { id: shim.id.clone(), width: 123, height: 45, ..Default::default() };
    let _: () = shim.call("ResizePty", &resize);
    shim.kill("", 10, false).expect("signalled");
    assert_eq!(shim.wait(""), 0);
    assert_eq!(shim.log(), ["stdout F ready", "stdout F 45 123"]);
}

#[test]
fn containerds_fifos_carry_input_and_output() {
    let Some(mut shim) = Shim::start(&Wish { script: "cat; echo done >&2", ..Wish::default() }) else { return };
    let options = berth::Options { log: None, ..shim.options() };
    let [stdin, stdout, stderr] = ["stdin", "stdout", "stderr"].map(|name| fifo(&shim, name));
    let text = |path: &PathBuf| path.display().to_string();
    let request = task::CreateTaskRequest {
        stdin: text(&stdin),
        stdout: text(&stdout),
        stderr: text(&stderr),
        ..shim.create_request(&options, false)
    };
    let readers = [stdout, stderr].map(|path| {
        std::thread::spawn(move || {
            let mut read = String::new();
            fs::File::open(path).expect("opens").read_to_string(&mut read).expect("reads");
            read
        })
    });
    let _: task::CreateTaskResponse = shim.call("Create", &request);
    let mut input = fs::OpenOptions::new().write(true).open(&stdin).expect("opens");
    let _: task::StartResponse = shim.call("Start", &task::StartRequest { id: shim.id.clone(), ..Default::default() });
    input.write_all(b"through\n").expect("written");
    drop(input);
    let _: () = shim.call("CloseIO", &task::CloseIoRequest { id: shim.id.clone(), stdin: true, ..Default::default() });
    assert_eq!(shim.wait(""), 0);
    assert_eq!(readers.map(|reader| reader.join().expect("read")), ["through\n", "done\n"]);
}

/// What a client typed waits for a container that may never read it, and costs next to nothing meanwhile.
#[test]
fn input_that_the_container_does_not_read_wakes_the_shim_seldom() {
    let Some(mut shim) = Shim::start(&Wish { script: "sleep 1000", ..Wish::default() }) else { return };
    let options = berth::Options { stdin: true, ..shim.options() };
    shim.run(&options, false);
    let stdin = fifo(&shim, "typed");
    // Both ways, so that it opens before the shim has come.
    let mut client = fs::OpenOptions::new().read(true).write(true).open(&stdin).expect("opens");
    rustix::fs::fcntl_setfl(&client, rustix::fs::OFlags::NONBLOCK).expect("flags");
    let request = berth::AttachRequest { stdin: stdin.display().to_string(), ..Default::default() };
    let _: berth::AttachResponse = shim.container_call("Attach", &request).expect("attached");
    let mut stuck_for = 0;
    while stuck_for < 20 {
        stuck_for = if client.write(&[b'x'; 4096]).is_ok() { 0 } else { stuck_for + 1 };
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(client);
    std::thread::sleep(Duration::from_millis(500));
    let before = shim.sleeps();
    std::thread::sleep(Duration::from_secs(1));
    let woken = shim.sleeps() - before;
    assert!(woken < 50, "woken {woken} times in a second");
}
