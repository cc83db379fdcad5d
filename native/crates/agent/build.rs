//! Generates the messages of the agent's contract.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    const ROOT: &str = "../../../proto";
    const CONTRACT: &str = "berth/agent.proto";
    println!("cargo::rerun-if-changed={ROOT}/{CONTRACT}");
    let files = protox::compile([CONTRACT], [ROOT])?;
    prost_build::Config::new().btree_map(["."]).compile_fds(files)?;
    Ok(())
}
