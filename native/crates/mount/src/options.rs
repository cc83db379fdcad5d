use rustix::mount::{MountFlags, MountPropagationFlags};

/// The option words of one mount, sorted by what they are for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    pub flags: MountFlags,
    /// `Some(recursive)` for a bind mount.
    pub bind: Option<bool>,
    pub propagation: Option<MountPropagationFlags>,
    /// The path of a user namespace by which the owners of an overlay's layers are translated.
    pub user_map: Option<String>,
    /// What the filesystem itself understands.
    pub data: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { flags: MountFlags::empty(), bind: None, propagation: None, user_map: None, data: Vec::new() }
    }
}

impl Options {
    /// Later words win over earlier ones.
    #[must_use]
    pub fn parse(words: &[String]) -> Self {
        let mut options = Self::default();
        for word in words {
            options.take(word);
        }
        options
    }

    fn take(&mut self, word: &str) {
        if let Some((set, clear)) = flag(word) {
            self.flags = self.flags.difference(clear).union(set);
        } else if let Some(propagation) = propagation(word) {
            self.propagation = Some(propagation);
        } else if matches!(word, "bind" | "rbind") {
            self.bind = Some(word == "rbind");
        } else if let Some(path) = word.strip_prefix("usermap=") {
            self.user_map = Some(path.to_owned());
        } else if !is_for_user_space(word) {
            self.data.push(word.to_owned());
        }
    }

    /// The value of `key=value` in the filesystem's own words.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.data.iter().rev().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }
}

/// Words of mount(8) and fstab(5) that never reach the kernel.
fn is_for_user_space(word: &str) -> bool {
    matches!(word, "defaults" | "auto" | "noauto" | "user" | "nouser" | "_netdev" | "nofail")
        || word.starts_with("x-")
        || word.starts_with("X-")
}

fn flag(word: &str) -> Option<(MountFlags, MountFlags)> {
    const NONE: MountFlags = MountFlags::empty();
    const TIMES: MountFlags = MountFlags::NOATIME.union(MountFlags::RELATIME).union(MountFlags::STRICTATIME);
    Some(match word {
        "ro" => (MountFlags::RDONLY, NONE),
        "rw" => (NONE, MountFlags::RDONLY),
        "nosuid" => (MountFlags::NOSUID, NONE),
        "suid" => (NONE, MountFlags::NOSUID),
        "nodev" => (MountFlags::NODEV, NONE),
        "dev" => (NONE, MountFlags::NODEV),
        "noexec" => (MountFlags::NOEXEC, NONE),
        "exec" => (NONE, MountFlags::NOEXEC),
        "sync" => (MountFlags::SYNCHRONOUS, NONE),
        "async" => (NONE, MountFlags::SYNCHRONOUS),
        "dirsync" => (MountFlags::DIRSYNC, NONE),
        "lazytime" => (MountFlags::LAZYTIME, NONE),
        "nolazytime" => (NONE, MountFlags::LAZYTIME),
        "noatime" => (MountFlags::NOATIME, TIMES),
        "relatime" => (MountFlags::RELATIME, TIMES),
        "strictatime" => (MountFlags::STRICTATIME, TIMES),
        "atime" | "norelatime" | "nostrictatime" => (NONE, TIMES),
        "nodiratime" => (MountFlags::NODIRATIME, NONE),
        "diratime" => (NONE, MountFlags::NODIRATIME),
        "nosymfollow" => (MountFlags::NOSYMFOLLOW, NONE),
        "symfollow" => (NONE, MountFlags::NOSYMFOLLOW),
        "silent" => (MountFlags::SILENT, NONE),
        _ => return None,
    })
}

fn propagation(word: &str) -> Option<MountPropagationFlags> {
    const REC: MountPropagationFlags = MountPropagationFlags::REC;
    let (kind, recursive) = match word.strip_prefix('r') {
        Some(rest) => (rest, REC),
        None => (word, MountPropagationFlags::empty()),
    };
    let kind = match kind {
        "private" => MountPropagationFlags::PRIVATE,
        "shared" => MountPropagationFlags::SHARED,
        "slave" => MountPropagationFlags::DOWNSTREAM,
        "unbindable" => MountPropagationFlags::UNBINDABLE,
        _ => return None,
    };
    Some(kind | recursive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Options {
        Options::parse(&words.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn words_are_sorted_by_purpose() {
        let options = parse("ro,nosuid,size=64m,mode=1777,rslave,noatime,defaults,x-mount.mkdir");
        assert_eq!(options.flags, MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NOATIME);
        assert_eq!(options.propagation, Some(MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC));
        assert_eq!(options.data, ["size=64m", "mode=1777"]);
        assert_eq!((options.value("size"), options.value("siz"), options.bind), (Some("64m"), None, None));
    }

    #[test]
    fn later_words_win() {
        assert_eq!(parse("ro,noexec,rw,exec").flags, MountFlags::empty());
        assert_eq!(parse("noatime,relatime").flags, MountFlags::RELATIME);
        assert_eq!(parse("bind,rbind").bind, Some(true));
        assert_eq!(parse("size=1,size=2").value("size"), Some("2"));
        assert_eq!(parse("usermap=/a,usermap=/b").user_map.as_deref(), Some("/b"));
    }
}
