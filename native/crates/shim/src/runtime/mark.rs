//! How the processes of a runtime that works on a container are known.

use std::ffi::{OsStr, OsString};

/// What a shim adds to the environment of each runtime process, with the container's id: a runtime may be a script, which
/// becomes another program. No runtime hands it on to the container.
const MARK: &str = "BERTH_CONTAINER";

/// The word that is added for this container.
pub fn of(id: &OsStr) -> OsString {
    [OsStr::new(MARK), id].join(OsStr::new("="))
}

/// Tells by the words of an environment whether a process is one of a runtime that works on this container.
pub fn works_on(id: &str) -> impl Fn(&[&str]) -> bool {
    let mark = format!("{MARK}={id}");
    move |words| words.contains(&mark.as_str())
}
