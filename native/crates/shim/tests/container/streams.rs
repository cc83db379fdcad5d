//! `berth-shim streams`, with the test in the place of the foreign shim that has the other ends of the FIFOs.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use prost::Message;
use ttrpc::Client;

use crate::fixture::SHIM;
use crate::observed::{entries, eventually};
use crate::proto::berth::shim::v1 as berth;

const PATIENCE: Duration = Duration::from_secs(30);

/// A bundle whose streams are served, with a container that writes to its stdout without end and as fast as it can.
struct Flooded {
    dir: PathBuf,
    flood: Child,
    stderr: File,
    stdin: File,
}

impl Flooded {
    fn start(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("shim-it-{name}-{}", std::process::id()));
        fs::create_dir_all(dir.join("io")).expect("bundle");
        let settings = serde_json::json!({
            "log": { "path": dir.join("log"), "maxLineBytes": 0 },
            "terminal": false, "stdin": true, "stdinOnce": false,
            "socket": dir.join("socket"),
            "shim": { "id": "none", "address": dir.join("none"), "service": "none" },
        });
        fs::write(dir.join("streams.json"), settings.to_string()).expect("settings");
        assert!(Command::new(SHIM).arg("streams").arg(&dir).status().expect("runs").success());
        let writer = |name: &str| OpenOptions::new().write(true).open(dir.join("io").join(name)).expect("opens");
        let flood = Command::new("yes").stdout(writer("stdout")).spawn().expect("floods");
        let (stderr, stdin) = (writer("stderr"), File::open(dir.join("io/stdin")).expect("opens"));
        Self { dir, flood, stderr, stdin }
    }

    fn call<Q: Message, A: Message + Default>(&self, method: &str, request: &Q) -> A {
        let mut client = Client::connect(&self.dir.join("socket")).expect("connects");
        client.call("berth.shim.v1.Streams", method, request, Some(PATIENCE)).expect(method)
    }

    /// A client's end of a FIFO, open before the other has come.
    fn client(&self, name: &str) -> File {
        let path = self.dir.join(name);
        assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        OpenOptions::new().read(true).write(true).open(&path).expect("opens")
    }
}

impl Drop for Flooded {
    fn drop(&mut self) {
        let _ = self.flood.kill();
        let _ = self.flood.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn next_line(file: &mut File) -> String {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        file.read_exact(&mut byte).expect("goes on");
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("text")
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map(|metadata| metadata.len()).unwrap_or_default()
}

#[test]
fn calls_are_answered_and_the_others_carried_while_an_output_floods() {
    let mut flooded = Flooded::start("flood");
    let log = flooded.dir.join("log");
    eventually("it floods", || size(&log) > 4 << 20);
    let (mut typed, mut heard) = (flooded.client("typed"), flooded.client("heard"));
    let path = |name: &str| flooded.dir.join(name).display().to_string();
    let request = berth::AttachRequest { stdin: path("typed"), stderr: path("heard"), ..Default::default() };
    let _: berth::AttachResponse = flooded.call("Attach", &request);
    for turn in 0..10 {
        let rotated = flooded.dir.join("rotated");
        fs::rename(&log, &rotated).expect("rotated");
        let _: berth::ReopenLogResponse = flooded.call("ReopenLog", &berth::ReopenLogRequest {});
        fs::remove_file(rotated).expect("removed");
        writeln!(typed, "word {turn}").expect("typed");
        assert_eq!(next_line(&mut flooded.stdin), format!("word {turn}\n"));
        writeln!(flooded.stderr, "answer {turn}").expect("written");
        assert_eq!(next_line(&mut heard), format!("answer {turn}\n"));
    }
    eventually("the other output is logged", || entries(&log).contains(&"stderr F answer 9".to_owned()));
}

/// One who outlives the container and writes on keeps nobody from its end.
#[test]
fn the_end_is_told_while_an_output_floods() {
    let mut flooded = Flooded::start("end");
    flooded.stderr.write_all(b"last words").expect("written");
    let _: berth::SettleResponse = flooded.call("Settle", &berth::SettleRequest {});
    let _: berth::FinishResponse = flooded.call("Finish", &berth::FinishRequest {});
    eventually("nobody serves the streams", || !flooded.dir.join("socket").exists());
    let log = entries(&flooded.dir.join("log"));
    assert!(log.contains(&"stderr P last words".to_owned()));
    eventually("the flood ends", || flooded.flood.try_wait().expect("asked").is_some());
}
