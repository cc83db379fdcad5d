use std::fs;
use std::path::PathBuf;

/// A controller's directory of one cgroup; `None` where the kernel has no such controller, whose files then all are empty.
pub struct Dir(pub Option<PathBuf>);

impl Dir {
    /// A whole file; empty when it is absent, since controllers differ between kernels.
    #[must_use]
    pub fn text(&self, file: &str) -> String {
        self.0.as_ref().and_then(|dir| fs::read_to_string(dir.join(file)).ok()).unwrap_or_default()
    }

    /// A file of one number; "max" is the largest there is, an absent file 0.
    #[must_use]
    pub fn number(&self, file: &str) -> u64 {
        self.known(file).unwrap_or(0)
    }

    /// As `number`, but `None` for an absent file.
    #[must_use]
    pub fn known(&self, file: &str) -> Option<u64> {
        let text = self.text(file);
        if text.trim() == "max" { Some(u64::MAX) } else { text.trim().parse().ok() }
    }

    /// A file of `key value` lines.
    #[must_use]
    pub fn table(&self, file: &str) -> Table {
        Table::new(self.text(file))
    }
}

/// A limit that is set. `u64::MAX` stands for "max"; version 1 writes the largest number of whole pages.
#[must_use]
pub fn limit(value: u64) -> Option<u64> {
    const UNLIMITED_FROM: u64 = 0x7fff_ffff_ffff_0000;
    (value < UNLIMITED_FROM).then_some(value)
}

/// Lines of `key value`.
#[derive(Debug, Default)]
pub struct Table(String);

impl Table {
    /// From a file's text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The value of a key; 0 without one.
    #[must_use]
    pub fn get(&self, key: &str) -> u64 {
        let value = |line: &str| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok();
        self.0.lines().find_map(value).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_the_beginning_of_another() {
        let table = Table::new("total_cache 9\ncache 7\n".to_owned());
        assert_eq!(table.get("cache"), 7);
        assert_eq!(table.get("rss"), 0);
    }

    #[test]
    fn an_absent_controller_is_empty() {
        let dir = Dir(None);
        assert_eq!((dir.text("a"), dir.number("a"), dir.known("a")), (String::new(), 0, None));
    }
}
