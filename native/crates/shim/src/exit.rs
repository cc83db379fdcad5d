//! The end of a process, and its record on disk.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::clock;

/// The record's name in a bundle, unless the client named another place.
pub const FILE: &str = "exit.json";

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// 128 + signal when a signal ended it.
    pub code: u32,
    pub at: prost_types::Timestamp,
    pub oom_killed: bool,
}

/// berth.shim.v1.ExitRecord in protobuf's JSON spelling.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    id: String,
    pid: u32,
    exit_code: u32,
    exited_at: String,
    oom_killed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
        id: id.to_owned(),
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

/// The pid and the end of a bundle's container, as its shim recorded them before it was gone; `None` when it did not.
#[must_use]
pub fn read_record(bundle: &Path) -> Option<(u32, Exit)> {
    let record: Record = serde_json::from_slice(&fs::read(bundle.join(FILE)).ok()?).ok()?;
    let at = record.exited_at.parse().ok()?;
    Some((record.pid, Exit { code: record.exit_code, at, oom_killed: record.oom_killed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let bundle = std::env::temp_dir().join(format!("berth-exit-{}", std::process::id()));
        fs::create_dir_all(&bundle).expect("a bundle");
        assert_eq!(read_record(&bundle), None);
        let exit =
            Exit { code: 137, at: prost_types::Timestamp { seconds: 1_709_251_199, nanos: 7 }, oom_killed: true };
        write_record(&bundle.join(FILE), "c1", 42, exit, None).expect("written");
        assert_eq!(read_record(&bundle), Some((42, exit)));
        fs::remove_dir_all(bundle).expect("removed");
    }
}
