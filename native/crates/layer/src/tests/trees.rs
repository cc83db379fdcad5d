//! Trees are removed, measured and copied at any depth and around mounts.

use std::ffi::CStr;
use std::fs;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, XattrFlags, getxattr, lsetxattr, mkdirat, openat, symlinkat, unlinkat,
};
use rustix::mount::{UnmountFlags, mount_bind, unmount};

use crate::error::Result;
use crate::testing::{Scratch, names};
use crate::walk::{Visitor, walk};
use crate::{LayerError, Usage, copy_tree, disk_usage, merge_layer, remove_tree};

fn open(path: &Path) -> OwnedFd {
    fs::File::open(path).unwrap().into()
}

/// Nests directories deeper than any path or descriptor limit.
fn nest(root: &Path, depth: usize) {
    let mut dir = open(root);
    for _ in 0..depth {
        mkdirat(&dir, "deep", Mode::RWXU).unwrap();
        dir = openat(&dir, "deep", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    openat(&dir, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
}

#[test]
fn a_tree_deeper_than_every_limit_is_measured_copied_and_removed() {
    let scratch = Scratch::new();
    let (tree, copy) = (scratch.mkdir("tree"), scratch.mkdir("copy"));
    nest(&tree, 3000);
    let usage = disk_usage(&tree).unwrap();
    assert_eq!(usage.inodes, 3002);
    copy_tree(open(&tree), open(&copy)).unwrap();
    assert_eq!(disk_usage(&copy).unwrap(), usage);
    remove_tree(&tree).unwrap();
    assert!(!tree.exists());
    remove_tree(&tree).unwrap();
}

/// Puts something else in the place of directories that the walk has read of and not opened yet.
struct Replacer;

impl Visitor for Replacer {
    fn file(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        if name == c"trigger" {
            for replaced in ["file", "link"] {
                unlinkat(dir, replaced, AtFlags::REMOVEDIR).unwrap();
            }
            openat(dir, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
            symlinkat("kept", dir, "link").unwrap();
        }
        Ok(())
    }

    fn enter(&mut self, _dir: BorrowedFd<'_>, name: &CStr, _entered: BorrowedFd<'_>) -> Result<()> {
        assert_eq!(name, c"kept");
        Ok(())
    }

    fn leave(&mut self, _dir: BorrowedFd<'_>, _name: &CStr) -> Result<()> {
        Ok(())
    }

    fn mount_point(&mut self, name: &CStr) -> Result<()> {
        panic!("{name:?} is no mount point");
    }
}

#[test]
fn a_directory_that_becomes_something_else_under_the_walk_is_passed_over() {
    let scratch = Scratch::new();
    let tree = scratch.mkdir("tree");
    for name in ["file", "link", "kept"] {
        fs::create_dir(tree.join(name)).unwrap();
    }
    fs::write(tree.join("trigger"), "").unwrap();
    walk(open(&tree), &mut Replacer).unwrap();
}

#[test]
fn removal_does_not_follow_links() {
    let scratch = Scratch::new();
    let tree = scratch.mkdir("tree");
    symlink(scratch.root.join("outside"), tree.join("door")).unwrap();
    symlink(&tree, scratch.root.join("link")).unwrap();
    for i in 0..1000 {
        fs::create_dir(tree.join(format!("dir{i}"))).unwrap();
        fs::write(tree.join(format!("file{i}")), "").unwrap();
    }
    remove_tree(&scratch.root.join("link")).unwrap();
    assert!(tree.exists());
    remove_tree(&tree).unwrap();
    scratch.assert_untouched();
}

/// Unmounts at the end of a test, before the scratch directory is removed.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        unmount(self.0, UnmountFlags::DETACH).unwrap();
    }
}

#[test]
fn a_mount_below_is_neither_entered_nor_removed() {
    let scratch = Scratch::new();
    let (tree, copy) = (scratch.mkdir("tree"), scratch.mkdir("copy"));
    let point = scratch.mkdir("tree/point");
    fs::write(tree.join("file"), "x").unwrap();
    mount_bind(scratch.root.join("outside"), &point).unwrap();
    let mounted = Mounted(&point);
    assert_eq!(disk_usage(&tree).unwrap().inodes, 2);
    copy_tree(open(&tree), open(&copy)).unwrap();
    assert_eq!(names(&copy), ["file"]);
    assert!(matches!(remove_tree(&tree), Err(LayerError::Io { errno: rustix::io::Errno::BUSY, .. })));
    assert_eq!(names(&scratch.root.join("outside")), ["precious"]);
    drop(mounted);
    remove_tree(&tree).unwrap();
}

#[test]
fn usage_counts_blocks_and_each_inode_once() {
    let scratch = Scratch::new();
    let tree = scratch.mkdir("tree");
    let file = fs::File::create(tree.join("a")).unwrap();
    file.write_all_at(&[1; 10_000], 0).unwrap();
    file.set_len(1 << 30).unwrap();
    fs::hard_link(tree.join("a"), tree.join("b")).unwrap();
    file.sync_all().unwrap();
    let blocks = |name: &str| fs::metadata(tree.join(name)).unwrap().blocks() * 512;
    let expected = Usage { bytes: blocks("a") + blocks("."), inodes: 2 };
    assert_eq!(disk_usage(&tree).unwrap(), expected);
    assert_eq!(disk_usage(&tree.join("a")).unwrap().inodes, 1);
    assert_eq!(disk_usage(&scratch.root.join("absent")).unwrap(), Usage::default());
}

#[test]
fn a_copy_is_the_same_in_every_respect() {
    let scratch = Scratch::new();
    let (tree, copy) = (scratch.mkdir("tree"), scratch.mkdir("copy"));
    fs::create_dir(tree.join("dir")).unwrap();
    fs::write(tree.join("dir/a"), "content").unwrap();
    fs::hard_link(tree.join("dir/a"), tree.join("b")).unwrap();
    symlink("dir/a", tree.join("link")).unwrap();
    rustix::fs::mknodat(CWD, tree.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    std::os::unix::fs::chown(tree.join("dir"), Some(3), Some(4)).unwrap();
    fs::set_permissions(tree.join("dir"), fs::Permissions::from_mode(0o2750)).unwrap();
    fs::set_permissions(tree.join("b"), fs::Permissions::from_mode(0o4711)).unwrap();
    lsetxattr(tree.join("b"), "user.kept", b"1", XattrFlags::empty()).unwrap();
    let sparse = fs::File::create(tree.join("sparse")).unwrap();
    sparse.write_all_at(b"end", 5 << 20).unwrap();
    copy_tree(open(&tree), open(&copy)).unwrap();
    for name in ["", "dir", "dir/a", "b", "link", "pipe", "sparse"] {
        let facts = |root: &Path| {
            let meta = fs::symlink_metadata(root.join(name)).unwrap();
            (meta.mode(), meta.uid(), meta.gid(), meta.mtime(), meta.mtime_nsec(), meta.len())
        };
        assert_eq!(facts(&tree), facts(&copy), "{name}");
    }
    let at = |name: &str| fs::metadata(copy.join(name)).unwrap();
    assert_eq!(at("b").ino(), at("dir/a").ino());
    assert!(at("sparse").blocks() * 512 < 64 << 10);
    assert_eq!(fs::read(copy.join("b")).unwrap(), b"content");
    let mut value = [0; 4];
    assert_eq!(getxattr(copy.join("b"), "user.kept", &mut value), Ok(1));
}

#[test]
fn a_merged_layer_replaces_hides_and_deletes() {
    let scratch = Scratch::new();
    let (layer, tree) = (scratch.mkdir("above"), scratch.mkdir("tree"));
    for dir in ["opaque/below", "dir", "kept", "replaced"] {
        fs::create_dir_all(tree.join(dir)).unwrap();
    }
    for file in ["gone", "dir/gone", "dir/stays", "kept/f", "becomes-dir"] {
        fs::write(tree.join(file), "below").unwrap();
    }
    for dir in ["opaque", "dir", "becomes-dir"] {
        fs::create_dir(layer.join(dir)).unwrap();
    }
    lsetxattr(layer.join("opaque"), "trusted.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    for file in ["gone", "dir/gone", "never-there"] {
        rustix::fs::mknodat(CWD, layer.join(file), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    }
    for file in ["replaced", "opaque/new", "a"] {
        fs::write(layer.join(file), "above").unwrap();
    }
    fs::hard_link(layer.join("a"), layer.join("b")).unwrap();
    fs::set_permissions(layer.join("dir"), fs::Permissions::from_mode(0o2711)).unwrap();
    merge_layer(&layer, &tree).unwrap();
    assert_eq!(names(&tree), ["a", "b", "becomes-dir", "dir", "kept", "opaque", "replaced"]);
    assert_eq!(names(&tree.join("opaque")), ["new"]);
    assert_eq!(names(&tree.join("dir")), ["stays"]);
    assert_eq!(fs::read(tree.join("replaced")).unwrap(), b"above");
    assert_eq!(fs::metadata(tree.join("a")).unwrap().ino(), fs::metadata(tree.join("b")).unwrap().ino());
    assert_eq!(fs::metadata(tree.join("dir")).unwrap().mode() & 0o7777, 0o2711);
    let mut value = [0; 4];
    assert!(getxattr(tree.join("opaque"), "trusted.overlay.opaque", &mut value).is_err());
}
