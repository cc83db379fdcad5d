use crate::options::Options;

/// What to mount, without the place. A bind is one by its type `bind`, by the words `bind` and `rbind`, or both.
#[derive(Debug)]
pub struct Mount {
    pub(crate) kind: String,
    pub(crate) source: String,
    pub(crate) options: Options,
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
