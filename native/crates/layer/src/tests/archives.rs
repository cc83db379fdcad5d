//! Trees become archives and come back as they were.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, XattrFlags, getxattr, lsetxattr, makedev, mknodat};

use crate::testing::{Scratch, names};
use crate::{LayerError, Tree, archive, extract};

fn filled(tree: &Path) {
    fs::create_dir(tree.join("dir")).unwrap();
    fs::write(tree.join("dir/file"), "content").unwrap();
    fs::set_permissions(tree.join("dir/file"), fs::Permissions::from_mode(0o4751)).unwrap();
    lchown(tree.join("dir"), Some(3_000_000), Some(7)).unwrap();
    fs::hard_link(tree.join("dir/file"), tree.join("linked")).unwrap();
    symlink("dir/file", tree.join("symlink")).unwrap();
    lsetxattr(tree.join("dir/file"), "user.mark", b"a\0b", XattrFlags::empty()).unwrap();
    mknodat(CWD, tree.join("null"), FileType::CharacterDevice, Mode::RUSR, makedev(1, 3)).unwrap();
    mknodat(CWD, tree.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    drop(UnixListener::bind(tree.join("socket")).unwrap());
    fs::write(tree.join("n".repeat(200)), "").unwrap();
}

#[test]
fn a_tree_comes_back_as_it_was_but_for_its_sockets() {
    let scratch = Scratch::new();
    let (tree, file) = (scratch.mkdir("tree"), scratch.root.join("tree.tar"));
    filled(&tree);
    archive(&tree, &file, Tree::Plain).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    extract(&file, &scratch.layer(), &[]).unwrap();
    let back = scratch.layer();
    assert_eq!(names(&back), ["dir", "fifo", "linked", &"n".repeat(200), "null", "symlink"]);
    let meta = fs::metadata(back.join("dir/file")).unwrap();
    assert_eq!((meta.mode() & 0o7777, meta.ino()), (0o4751, fs::metadata(back.join("linked")).unwrap().ino()));
    assert_eq!(fs::metadata(back.join("dir")).unwrap().uid(), 3_000_000);
    let mut mark = [0; 8];
    assert_eq!(getxattr(back.join("dir/file"), "user.mark", &mut mark), Ok(3));
    assert_eq!(fs::read_link(back.join("symlink")).unwrap(), Path::new("dir/file"));
    let null = fs::metadata(back.join("null")).unwrap();
    assert!(null.file_type().is_char_device() && null.rdev() == makedev(1, 3));
}

#[test]
fn what_an_overlay_hides_becomes_a_whiteout_of_a_layer() {
    let scratch = Scratch::new();
    let (upper, file) = (scratch.mkdir("upper"), scratch.root.join("upper.tar"));
    fs::create_dir(upper.join("new")).unwrap();
    fs::write(upper.join("new/file"), "").unwrap();
    lsetxattr(upper.join("new"), "trusted.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    mknodat(CWD, upper.join("gone"), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    archive(&upper, &file, Tree::OverlayUpper).unwrap();
    let seen: Vec<String> = tar::Archive::new(fs::File::open(&file).unwrap())
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert!(
        ["new/", "new/.wh..wh..opq", "new/file", ".wh.gone"]
            .iter()
            .all(|name| seen.iter().any(|path| path == name || format!("{path}/") == *name)),
        "{seen:?}"
    );
    extract(&file, &scratch.layer(), &[]).unwrap();
    let mut mark = [0; 1];
    assert_eq!(getxattr(scratch.layer().join("new"), "trusted.overlay.opaque", &mut mark), Ok(1));
    let gone = fs::symlink_metadata(scratch.layer().join("gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
}

#[test]
fn a_failed_archive_leaves_no_file_and_an_existing_one_stays() {
    let scratch = Scratch::new();
    let file = scratch.root.join("a.tar");
    assert!(matches!(archive(&scratch.root.join("none"), &file, Tree::Plain), Err(LayerError::NotFound { .. })));
    assert!(!file.exists());
    fs::write(&file, "mine").unwrap();
    assert!(archive(&scratch.layer(), &file, Tree::Plain).is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_pipe_or_a_device_is_no_archive_and_is_not_waited_for() {
    let scratch = Scratch::new();
    let (fifo, zero) = (scratch.root.join("fifo"), scratch.root.join("zero"));
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
    mknodat(CWD, &zero, FileType::CharacterDevice, Mode::RUSR, makedev(1, 5)).unwrap();
    for path in [fifo, zero] {
        let error = extract(&path, &scratch.layer(), &[]).unwrap_err();
        assert!(matches!(&error, LayerError::Invalid(why) if why.contains("no file")), "{error}");
    }
}
