//! Image layers on disk: a tar stream becomes an overlay layer directory, and trees are removed, measured and copied.
//!
//! Layers come from strangers. Every file operation is anchored at a directory descriptor below the layer's root, so no
//! name, link or device in an archive can reach anything outside of it; see [`unpack()`] for the guarantees.

mod apply;
mod archive;
mod copy;
mod decompress;
mod error;
mod fd_stack;
mod limits;
mod merge;
mod path;
mod pipeline;
mod remove;
mod tarball;
mod unpack;
mod usage;
mod view;
mod walk;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use archive::{Tree, archive};
pub use copy::copy_tree;
pub use error::LayerError;
pub use limits::Limits;
pub use merge::merge_layer;
pub use remove::{empty_dir, remove_tree};
pub use unpack::{Micros, Unpack, Unpacked, extract, unpack};
pub use usage::{Usage, disk_usage};
