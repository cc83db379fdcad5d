//! The container's log, its terminal and its FIFOs.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Command;

use ttrpc::Code;

use crate::bundle::Wish;
use crate::fixture::{Shim, entries, eventually};
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
        std::thread::sleep(std::time::Duration::from_millis(3));
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

fn fifo(shim: &Shim, name: &str) -> PathBuf {
    let path = shim.dir.join(name);
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    path
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
