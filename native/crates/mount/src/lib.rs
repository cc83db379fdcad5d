//! Mounts in mount(8) words, for agent and shim alike: overlays of many layers on any kernel, binds that lose none of
//! their source's restrictions, and the end of all of them.

mod attach;
mod bind;
mod detach;
mod error;
mod limits;
mod mount;
mod options;
mod overlay;
mod read_only;
#[cfg(test)]
mod testing;

pub use attach::attach;
pub use detach::{detach, detach_tree};
pub use error::MountError;
pub use mount::Mount;
pub use options::Options;
pub use read_only::open_read_only;
