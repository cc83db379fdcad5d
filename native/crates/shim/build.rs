//! Generates the messages of the contracts in proto/.

use std::path::Path;

const FILES: [&str; 8] = [
    "berth/shim.proto",
    "containerd/task_v3.proto",
    "containerd/runc_options.proto",
    "containerd/envelope.proto",
    "containerd/events_ttrpc.proto",
    "containerd/task_events.proto",
    "containerd/cgroups_v1.proto",
    "containerd/cgroups_v2.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let descriptors = protox::compile(FILES, [&root])?;
    prost_build::Config::new().include_file("contracts.rs").btree_map(["."]).compile_fds(descriptors)?;
    Ok(())
}
