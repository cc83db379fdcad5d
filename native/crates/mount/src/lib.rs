//! Mounts in mount(8) words, for agent and shim alike: overlays of many layers on any kernel, binds that lose none of
//! their source's restrictions, and the end of all of them.

mod attach;
mod bind;
mod detach;
mod error;
mod options;
mod overlay;
mod read_only;
#[cfg(test)]
mod testing;

pub use attach::attach;
pub use detach::{detach, detach_tree};
pub use error::MountError;
pub use options::Options;
pub use read_only::open_read_only;

/// What to mount, without the place. A bind is one by its type `bind`, by the words `bind` and `rbind`, or both.
#[derive(Debug)]
pub struct Mount {
    kind: String,
    source: String,
    options: Options,
}

impl Mount {
    /// `words` are mount(8)'s, each one option. Of an overlay's, `lowerdir`, `upperdir` and `workdir` take a `\` before
    /// a character that stands for itself, as the kernel reads them, and `usermap=PATH` is of our own: a user namespace
    /// by which the layers' owners are translated.
    #[must_use]
    pub fn new(kind: &str, source: &str, words: &[String]) -> Self {
        let mut options = Options::parse(words);
        if kind == "bind" {
            options.bind.get_or_insert(true);
        }
        Self { kind: kind.to_owned(), source: source.to_owned(), options }
    }
}
