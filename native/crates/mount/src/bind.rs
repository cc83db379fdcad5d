use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use crate::error::{MountError, at};

/// Shows `source` at `target`. The flags come on top of those that the source's mount has, locked ones included: a bind
/// of a nosuid filesystem stays nosuid. They are set before anybody sees the mount.
pub(crate) fn attach(source: &str, recursive: bool, flags: MountFlags, target: &Path) -> Result<(), MountError> {
    let below = if recursive { OpenTreeFlags::AT_RECURSIVE } else { OpenTreeFlags::empty() };
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | below;
    let tree = open_tree(CWD, source, clone).map_err(at("bind", source))?;
    let attributes = attributes(flags);
    if !attributes.is_empty() {
        sys::add_mount_attributes(&tree, attributes).map_err(at("restrict the bind of", source))?;
    }
    move_mount(&tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(at("mount on", target.display()))
}

/// The flags of mount(2) that belong to a mount and not to its filesystem, as the newer interface calls them.
pub(crate) fn attributes(flags: MountFlags) -> MountAttrFlags {
    let pairs = [
        (MountFlags::RDONLY, MountAttrFlags::MOUNT_ATTR_RDONLY),
        (MountFlags::NOSUID, MountAttrFlags::MOUNT_ATTR_NOSUID),
        (MountFlags::NODEV, MountAttrFlags::MOUNT_ATTR_NODEV),
        (MountFlags::NOEXEC, MountAttrFlags::MOUNT_ATTR_NOEXEC),
        (MountFlags::NOATIME, MountAttrFlags::MOUNT_ATTR_NOATIME),
        (MountFlags::STRICTATIME, MountAttrFlags::MOUNT_ATTR_STRICTATIME),
        (MountFlags::NODIRATIME, MountAttrFlags::MOUNT_ATTR_NODIRATIME),
        (MountFlags::NOSYMFOLLOW, MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW),
    ];
    let set = pairs.into_iter().filter(|(flag, _)| flags.contains(*flag));
    set.fold(MountAttrFlags::empty(), |attributes, (_, attribute)| attributes | attribute)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::testing::{Scratch, mount_flags};
    use crate::{Mount, attach, detach};

    fn bind(scratch: &Scratch, source: &str, words: &[&str]) -> std::collections::BTreeSet<String> {
        let target = scratch.dir("target");
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        attach(&Mount::new("", source, &words), &target).unwrap();
        let flags = mount_flags(&target);
        detach(&target).unwrap();
        flags
    }

    fn tmpfs(scratch: &Scratch, name: &str, words: &[&str]) -> String {
        let at = scratch.dir(name);
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        attach(&Mount::new("tmpfs", "tmpfs", &words), &at).unwrap();
        at.display().to_string()
    }

    #[test]
    fn a_bind_keeps_what_its_source_is_restricted_to_and_adds_to_it() {
        let scratch = Scratch::new();
        let restricted = ["nosuid", "nodev", "noexec", "nosymfollow", "noatime", "nodiratime"];
        let source = tmpfs(&scratch, "restricted", &restricted);
        for words in [&["bind"][..], &["rbind", "ro"], &["bind", "ro", "suid", "dev", "exec"], &["bind", "rw"]] {
            let mut expected: Vec<&str> = restricted.to_vec();
            expected.push(if words.contains(&"ro") { "ro" } else { "rw" });
            assert_eq!(
                bind(&scratch, &source, words),
                expected.iter().map(|&word| word.to_owned()).collect(),
                "{words:?}"
            );
        }
        let read_only = tmpfs(&scratch, "read-only", &["ro"]);
        assert!(
            bind(&scratch, &read_only, &["bind", "rw", "nosuid"]).is_superset(&["ro".into(), "nosuid".into()].into())
        );
    }

    #[test]
    fn a_bind_takes_every_flag() {
        let scratch = Scratch::new();
        let source = tmpfs(&scratch, "free", &["noatime"]);
        let flags = bind(&scratch, &source, &["bind", "ro", "nosuid", "nodev", "noexec", "nosymfollow", "strictatime"]);
        assert_eq!(flags, ["ro", "nosuid", "nodev", "noexec", "nosymfollow"].map(str::to_owned).into());
    }

    #[test]
    fn a_recursive_bind_shows_what_is_mounted_below_and_a_plain_one_does_not() {
        let scratch = Scratch::new();
        let source = tmpfs(&scratch, "outer", &[]);
        let inner = scratch.dir("outer/inner");
        attach(&Mount::new("tmpfs", "tmpfs", &[]), &inner).unwrap();
        fs::write(inner.join("file"), "").unwrap();
        let target = scratch.dir("target");
        for (word, seen) in [("bind", false), ("rbind", true)] {
            attach(&Mount::new("bind", &source, &[word.to_owned(), "rprivate".to_owned()]), &target).unwrap();
            assert_eq!(target.join("inner/file").exists(), seen, "{word}");
            detach(&target).unwrap();
        }
    }

    #[test]
    fn a_file_is_bound_on_a_file() {
        let scratch = Scratch::new();
        let (source, target) = (scratch.path("source"), scratch.path("target-file"));
        fs::write(&source, "content").unwrap();
        fs::write(&target, "").unwrap();
        attach(&Mount::new("bind", &source.display().to_string(), &["bind".into(), "ro".into()]), &target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"content");
        detach(&target).unwrap();
    }

    #[test]
    fn an_absent_source_is_named() {
        let scratch = Scratch::new();
        let error =
            attach(&Mount::new("bind", "/absent/source", &["bind".into()]), &scratch.dir("target")).unwrap_err();
        assert_eq!(error.to_string(), "bind /absent/source: No such file or directory (os error 2)");
    }
}
