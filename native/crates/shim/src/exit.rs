//! The end of a process, and its record on disk.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::clock;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// 128 + signal when a signal ended it.
    pub code: u32,
    pub at: prost_types::Timestamp,
    pub oom_killed: bool,
}

/// berth.shim.v1.ExitRecord in protobuf's JSON spelling.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    id: &'a str,
    pid: u32,
    exit_code: u32,
    exited_at: String,
    oom_killed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
}

/// Writes the record so that a reader finds it whole or not at all. Not synced: after a power cut the exit is known anyway.
///
/// # Errors
/// Those of write(2) and rename(2).
pub fn write_record(
    path: &Path,
    id: &str,
    pid: u32,
    exit: Exit,
    started_at: Option<prost_types::Timestamp>,
) -> io::Result<()> {
    let record = Record {
        id,
        pid,
        exit_code: exit.code,
        exited_at: clock::rfc3339(exit.at),
        oom_killed: exit.oom_killed,
        started_at: started_at.map(clock::rfc3339),
    };
    let partial = path.with_extension("partial");
    fs::write(&partial, serde_json::to_vec(&record)?)?;
    fs::rename(partial, path)
}
