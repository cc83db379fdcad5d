//! `berth-shim log`: the log writer of a container that a foreign shim keeps.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use ttrpc::{Client, Code};

use crate::fixture::{SHIM, entries, eventually, signal, status};
use crate::proto::berth::shim::v1 as berth;

/// A running log writer, and the container's ends of its outputs.
struct Logger {
    dir: PathBuf,
    child: Child,
    stdout: Option<File>,
    stderr: Option<File>,
}

impl Logger {
    fn start(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("shim-log-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("directory");
        let [out, err] = ["out", "err"].map(|fifo| dir.join(fifo));
        assert!(Command::new("mkfifo").args([&out, &err]).status().expect("mkfifo").success());
        // As containerd's shims do: outputs on 3 and 4, and 5 to be closed when the container may start.
        let script = "exec \"$0\" log \"$1\" 3<\"$2\" 4<\"$3\" 5>\"$4\"";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, SHIM]).arg(dir.join("log")).args([&out, &err]).arg(dir.join("ready"));
        let child = command.spawn().expect("starts");
        let open = |path: &Path| Some(OpenOptions::new().write(true).open(path).expect("opens"));
        let (stdout, stderr) = (open(&out), open(&err));
        let logger = Self { stdout, stderr, child, dir };
        // The file is there a moment before it listens.
        eventually("it listens", || Client::connect(&logger.socket()).is_ok());
        logger
    }

    fn socket(&self) -> PathBuf {
        self.dir.join(".log.sock")
    }

    fn log(&self) -> Vec<String> {
        entries(&self.dir.join("log"))
    }

    fn print(&self, text: &str) {
        self.stdout.as_ref().expect("open").write_all(text.as_bytes()).expect("written");
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn it_ends_with_its_outputs_and_leaves_no_socket() {
    let mut logger = Logger::start("end");
    logger.print("out\n");
    logger.stderr.as_ref().expect("open").write_all(b"err").expect("written");
    (logger.stdout, logger.stderr) = (None, None);
    assert!(logger.child.wait().expect("ends").success());
    let mut log = logger.log();
    log.sort();
    assert_eq!(log, ["stderr P err", "stdout F out"]);
    assert!(!logger.socket().exists());
}

/// containerd's shim sends it SIGTERM when the container is deleted, however much it has still to read.
#[test]
fn told_to_end_it_first_writes_what_is_there() {
    let mut logger = Logger::start("term");
    signal(logger.child.id(), Signal::STOP);
    let lines = "a line of sixteen\n".repeat(3000);
    logger.print(&lines);
    logger.print("rest");
    signal(logger.child.id(), Signal::TERM);
    signal(logger.child.id(), Signal::CONT);
    assert!(logger.child.wait().expect("ends").success());
    let log = logger.log();
    assert_eq!(log.len(), 3001);
    assert_eq!(log.last().map(String::as_str), Some("stdout P rest"));
    assert!(!logger.socket().exists());
}

#[test]
fn it_reopens_its_log_and_knows_no_other_call() {
    let logger = Logger::start("reopen");
    let mut client = Client::connect(&logger.socket()).expect("connects");
    logger.print("one\n");
    eventually("the first line", || logger.log() == ["stdout F one"]);
    fs::rename(logger.dir.join("log"), logger.dir.join("rotated")).expect("renamed");
    let service = "berth.shim.v1.Container";
    let _: berth::ReopenLogResponse =
        client.call(service, "ReopenLog", &berth::ReopenLogRequest {}, None).expect("reopened");
    logger.print("two\n");
    eventually("the second line", || logger.log() == ["stdout F two"]);
    assert_eq!(entries(&logger.dir.join("rotated")), ["stdout F one"]);
    let refused = client
        .call::<_, berth::DescribeResponse>(service, "Describe", &berth::DescribeRequest {}, None)
        .map_err(status);
    assert_eq!(refused.expect_err("unknown").code, Code::Unimplemented);
}

/// A container that writes faster than its log is written never leaves its pipe empty.
#[test]
fn an_output_without_end_holds_up_neither_the_other_nor_the_calls() {
    let mut logger = Logger::start("flood");
    let flood = logger.stdout.take().expect("open");
    rustix::pipe::fcntl_setpipe_size(&flood, 1 << 20).expect("resized");
    let done = AtomicBool::new(false);
    let answer = thread::scope(|scope| {
        for _ in 0..2 {
            // Short lines cost the log writer most.
            let lines = "y\n".repeat(30_000);
            let (mut flood, done) = (&flood, &done);
            scope.spawn(move || while !done.load(Ordering::Relaxed) && flood.write_all(lines.as_bytes()).is_ok() {});
        }
        thread::sleep(Duration::from_millis(300));
        let mut client = Client::connect(&logger.socket()).expect("connects");
        let patience = Some(Duration::from_secs(3));
        let request = berth::ReopenLogRequest {};
        let answer: Result<berth::ReopenLogResponse, _> =
            client.call("berth.shim.v1.Container", "ReopenLog", &request, patience);
        done.store(true, Ordering::Relaxed);
        answer
    });
    answer.expect("reopened");
}
