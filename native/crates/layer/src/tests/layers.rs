//! Layers above layers: whiteouts, borrowed directories, links into the layers below.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{XattrFlags, getxattr, lsetxattr};

use crate::LayerError;
use tar::EntryType;

use crate::testing::{Archive, Scratch, header, names};

fn is_whiteout(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_char_device() && meta.rdev() == 0)
}

fn is_opaque(path: &Path) -> bool {
    let mut value = [0; 4];
    getxattr(path, "trusted.overlay.opaque", &mut value) == Ok(1) && value[0] == b'y'
}

#[test]
fn whiteouts_become_overlays_own() {
    let scratch = Scratch::new();
    let archive = Archive::new()
        .file("etc/.wh.gone", "")
        .file("var/.wh..wh..opq", "")
        .file("var/new", "")
        .file(".wh..wh.aufs", "")
        .dir(".wh..wh.plnk")
        .file(".wh..wh.plnk/1.2", "");
    scratch.unpack(&archive).unwrap();
    assert!(is_whiteout(&scratch.layer().join("etc/gone")));
    assert!(is_opaque(&scratch.layer().join("var")));
    assert_eq!(names(&scratch.layer()), ["etc", "var"]);
}

#[test]
fn a_whiteout_beside_its_own_replacement_keeps_the_replacement() {
    let scratch = Scratch::new();
    let archive = Archive::new()
        .file(".wh.before", "")
        .dir("before")
        .dir("after")
        .file("after/x", "")
        .file(".wh.after", "")
        .file("file", "kept")
        .file(".wh.file", "")
        .file(".wh.through", "")
        .file("through/x", "");
    scratch.unpack(&archive).unwrap();
    for dir in ["before", "after", "through"] {
        assert!(is_opaque(&scratch.layer().join(dir)), "{dir}");
    }
    assert_eq!(names(&scratch.layer().join("after")), ["x"]);
    assert_eq!(fs::read_to_string(scratch.layer().join("file")).unwrap(), "kept");
}

#[test]
fn directories_passed_through_look_like_those_below() {
    let scratch = Scratch::new();
    let (top, bottom) = (scratch.mkdir("top"), scratch.mkdir("bottom"));
    fs::create_dir_all(top.join("a")).unwrap();
    fs::create_dir_all(bottom.join("a/b")).unwrap();
    fs::set_permissions(&top, fs::Permissions::from_mode(0o751)).unwrap();
    fs::set_permissions(top.join("a"), fs::Permissions::from_mode(0o1770)).unwrap();
    fs::set_permissions(bottom.join("a/b"), fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(bottom.join("a/b"), Some(12), Some(34)).unwrap();
    lsetxattr(bottom.join("a/b"), "user.kept", b"1", XattrFlags::empty()).unwrap();
    let parents = [top.clone(), bottom.clone()];
    scratch.unpack_above(&Archive::new().file("a/b/c/file", ""), &parents).unwrap();
    let at = |path: &str| fs::metadata(scratch.layer().join(path)).unwrap();
    assert_eq!(at("").mode() & 0o7777, 0o751);
    assert_eq!(at("a").mode() & 0o7777, 0o1770);
    assert_eq!((at("a/b").mode() & 0o7777, at("a/b").uid(), at("a/b").gid()), (0o700, 12, 34));
    assert_eq!(at("a/b/c").mode() & 0o7777, 0o755);
    let below = fs::metadata(bottom.join("a/b")).unwrap();
    assert_eq!((at("a/b").mtime(), at("a/b").mtime_nsec()), (below.mtime(), below.mtime_nsec()));
    let mut value = [0; 4];
    assert_eq!(getxattr(scratch.layer().join("a/b"), "user.kept", &mut value), Ok(1));
}

#[test]
fn a_directory_that_is_a_link_below_is_entered_where_the_link_leads() {
    let scratch = Scratch::new();
    let parent = scratch.mkdir("parent");
    fs::create_dir_all(parent.join("usr/lib")).unwrap();
    symlink("usr/lib", parent.join("lib")).unwrap();
    symlink("/../../../outside", parent.join("door")).unwrap();
    let archive = Archive::new().file("lib/x", "1").file("door/precious", "evil");
    scratch.unpack_above(&archive, std::slice::from_ref(&parent)).unwrap();
    assert_eq!(fs::read_to_string(scratch.layer().join("usr/lib/x")).unwrap(), "1");
    assert_eq!(names(&scratch.layer()), ["outside", "usr"]);
    let outside = fs::read_to_string(scratch.root.join("outside/precious")).unwrap();
    assert_eq!(outside, "kept");
}

#[test]
fn what_is_hidden_below_lends_nothing() {
    let scratch = Scratch::new();
    let (top, bottom) = (scratch.mkdir("top"), scratch.mkdir("bottom"));
    for dir in ["whited", "replaced", "opaque/sub", "mine/sub"] {
        fs::create_dir_all(bottom.join(dir)).unwrap();
        fs::set_permissions(bottom.join(dir), fs::Permissions::from_mode(0o700)).unwrap();
    }
    let dev = rustix::fs::FileType::CharacterDevice;
    rustix::fs::mknodat(rustix::fs::CWD, top.join("whited"), dev, 0.into(), 0).unwrap();
    fs::write(top.join("replaced"), "").unwrap();
    fs::create_dir(top.join("opaque")).unwrap();
    lsetxattr(top.join("opaque"), "trusted.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    let archive = Archive::new()
        .file("whited/x", "")
        .file("replaced/x", "")
        .file("opaque/sub/x", "")
        .file("mine/.wh..wh..opq", "")
        .file("mine/sub/x", "");
    scratch.unpack_above(&archive, &[top, bottom]).unwrap();
    for dir in ["whited", "replaced", "opaque/sub", "mine/sub"] {
        let mode = fs::metadata(scratch.layer().join(dir)).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o755, "{dir}");
    }
}

#[test]
fn an_opaque_root_hides_all_below_it() {
    let scratch = Scratch::new();
    let (top, bottom) = (scratch.mkdir("top"), scratch.mkdir("bottom"));
    fs::create_dir(bottom.join("dir")).unwrap();
    fs::set_permissions(bottom.join("dir"), fs::Permissions::from_mode(0o700)).unwrap();
    lsetxattr(&top, "trusted.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    scratch.unpack_above(&Archive::new().file("dir/x", ""), &[top, bottom]).unwrap();
    assert_eq!(fs::metadata(scratch.layer().join("dir")).unwrap().mode() & 0o7777, 0o755);
    assert!(!is_opaque(&scratch.layer()));
}

#[test]
fn a_hard_link_to_a_file_below_copies_it_up() {
    let scratch = Scratch::new();
    let parent = scratch.mkdir("parent");
    fs::create_dir_all(parent.join("bin")).unwrap();
    fs::write(parent.join("bin/tool"), "elf").unwrap();
    fs::set_permissions(parent.join("bin/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    lsetxattr(parent.join("bin/tool"), "user.kept", b"1", XattrFlags::empty()).unwrap();
    symlink("tool", parent.join("bin/link")).unwrap();
    let mut link = header("sbin/tool", EntryType::Link);
    link.set_link_name("bin/tool").unwrap();
    link.set_mode(0o4755);
    let archive = Archive::new().raw(&mut link, b"").hard_link("sbin/link", "/bin/link");
    scratch.unpack_above(&archive, std::slice::from_ref(&parent)).unwrap();
    let at = |path: &str| fs::symlink_metadata(scratch.layer().join(path)).unwrap();
    assert_eq!(at("sbin/tool").ino(), at("bin/tool").ino());
    assert_eq!((at("bin/tool").mode() & 0o7777, at("bin/tool").size()), (0o4755, 3));
    assert_eq!(at("bin/tool").mtime(), 1);
    assert_eq!(fs::metadata(parent.join("bin/tool")).unwrap().nlink(), 1);
    let mut value = [0; 4];
    assert_eq!(getxattr(scratch.layer().join("sbin/tool"), "user.kept", &mut value), Ok(1));
    assert!(at("sbin/link").is_symlink());
}

#[test]
fn a_hard_link_to_what_is_deleted_is_refused() {
    let scratch = Scratch::new();
    let parent = scratch.mkdir("parent");
    fs::write(parent.join("a"), "x").unwrap();
    let deleted = Archive::new().file(".wh.a", "").hard_link("b", "a");
    let result = scratch.unpack_above(&deleted, std::slice::from_ref(&parent));
    assert!(matches!(result, Err(LayerError::Invalid(_))), "{result:?}");
    assert!(names(&scratch.layer()).is_empty());
}
