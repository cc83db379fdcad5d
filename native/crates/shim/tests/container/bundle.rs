//! OCI bundles around busybox.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

const APPLETS: [&str; 12] = ["cat", "dd", "echo", "head", "kill", "pgrep", "sh", "sleep", "stty", "tr", "true", "yes"];

/// What a test wants of its container.
#[derive(Debug, Clone, Default)]
pub struct Wish<'a> {
    pub script: &'a str,
    pub terminal: bool,
    pub memory_limit: Option<i64>,
    /// Instead of a shell with the script.
    pub program: Option<&'a str>,
}

/// Two image layers: the directories, and busybox with its applets.
pub fn make_layers(dir: &Path) -> [String; 2] {
    let (top, bottom) = (dir.join("top"), dir.join("bottom"));
    for name in ["proc", "dev", "sys", "tmp"] {
        fs::create_dir_all(bottom.join(name)).expect("layer");
    }
    fs::create_dir_all(top.join("bin")).expect("layer");
    fs::copy("/bin/busybox", top.join("bin/busybox")).expect("busybox");
    for applet in APPLETS {
        fs::hard_link(top.join("bin/busybox"), top.join("bin").join(applet)).expect("applet");
    }
    [top, bottom].map(|layer| layer.display().to_string())
}

/// The `process` of a spec, which is also what an exec takes.
pub fn process(script: &str, terminal: bool) -> Value {
    json!({
        "terminal": terminal,
        "user": { "uid": 0, "gid": 0 },
        "args": ["/bin/sh", "-c", script],
        "env": ["PATH=/bin", "TERM=dumb"],
        "cwd": "/",
        "noNewPrivileges": true,
    })
}

/// A whole config.json.
pub fn spec(wish: &Wish<'_>, cgroup: &str) -> Value {
    let mut process = process(wish.script, wish.terminal);
    if let Some(program) = wish.program {
        process["args"] = json!([program]);
    }
    let memory = wish.memory_limit.map_or(json!({}), |limit| json!({ "memory": { "limit": limit, "swap": limit } }));
    let namespaces = ["pid", "mount", "ipc", "uts", "network"].map(|kind| json!({ "type": kind }));
    let mount = |at: &str, kind: &str, options: Value| json!({ "destination": at, "type": kind, "source": kind, "options": options });
    json!({
        "ociVersion": "1.0.2",
        "process": process,
        "root": { "path": "rootfs", "readonly": false },
        "hostname": "box",
        "mounts": [
            mount("/proc", "proc", json!(["nosuid", "noexec", "nodev"])),
            mount("/dev", "tmpfs", json!(["nosuid", "mode=755", "size=65536k"])),
            mount("/dev/pts", "devpts", json!(["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"])),
        ],
        "linux": {
            "namespaces": namespaces,
            "cgroupsPath": cgroup,
            "resources": memory,
        },
    })
}
