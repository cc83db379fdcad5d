//! `-info`, which containerd asks of every runtime that it does not know by name.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use prost::Message;
use prost_types::Any;

use crate::fixture::SHIM;
use crate::proto::containerd::runc::v1::Options;

fn info(options: &[u8]) -> Output {
    let mut command = Command::new(SHIM);
    command.arg("-info").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    child.stdin.take().expect("stdin").write_all(options).expect("written");
    child.wait_with_output().expect("ends")
}

fn contains(output: &Output, text: &str) -> bool {
    output.stdout.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn the_shim_names_itself_without_options() {
    let output = info(&[]);
    assert!(output.status.success(), "{output:?}");
    // Field 1, a string of 22 bytes.
    assert!(output.stdout.starts_with(b"\x0a\x16io.containerd.berth.v1"), "{output:?}");
}

#[test]
fn options_of_another_kind_are_refused() {
    let any = Any { type_url: "other.Options".into(), value: Vec::new() };
    let output = info(&any.encode_to_vec());
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("other.Options"), "{output:?}");
}

#[test]
fn the_runtimes_features_are_passed_on() {
    let runc = ["/usr/sbin/runc", "/usr/bin/runc"].into_iter().find(|path| Path::new(path).exists());
    let Some(runc) = runc else {
        println!("skipped: the features of runc need runc");
        return;
    };
    let options = Options { binary_name: runc.into(), ..Options::default() };
    let any = Any { type_url: "containerd.runc.v1.Options".into(), value: options.encode_to_vec() };
    let output = info(&any.encode_to_vec());
    assert!(contains(&output, "types.containerd.io/opencontainers/runtime-spec/1/features/Features"));
    assert!(contains(&output, "\"ociVersionMin\""));
}
