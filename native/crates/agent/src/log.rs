//! One JSON object a line on stderr, which berthd reads. Environments and inputs of programs are never logged: CNI
//! configurations and environments carry secrets.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

pub fn info(msg: &str, fields: &Value) {
    write("info", msg, fields);
}

pub fn warn(msg: &str, fields: &Value) {
    write("warn", msg, fields);
}

pub fn error(msg: &str, fields: &Value) {
    write("error", msg, fields);
}

fn write(level: &str, msg: &str, fields: &Value) {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut record = json!({ "time": time.as_millis() as u64, "level": level, "msg": msg });
    if let (Some(record), Some(fields)) = (record.as_object_mut(), fields.as_object()) {
        record.extend(fields.clone());
    }
    // One write, so that lines of several threads do not mix. Without a reader there is nobody to tell.
    let _ = std::io::stderr().write_all(format!("{record}\n").as_bytes());
}
