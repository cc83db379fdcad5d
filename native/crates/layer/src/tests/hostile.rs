//! No archive reaches anything outside of its directory, and a refused one leaves nothing behind.

use std::fs;

use rustix::fs::lgetxattr;
use tar::EntryType;

use crate::testing::{Archive, Scratch, diff_id, header, names};
use crate::{LayerError, Limits, Unpack, unpack};

fn assert_refused(what: &str, archive: &Archive) {
    let scratch = Scratch::new();
    match scratch.unpack(archive) {
        Err(LayerError::Invalid(_)) => {}
        other => panic!("{what}: {other:?}"),
    }
    assert!(names(&scratch.layer()).is_empty(), "{what}");
    scratch.assert_untouched();
}

/// Unpacks; success and refusal are both fine as long as the outside is not touched.
fn assert_contained(archive: &Archive) -> Scratch {
    let scratch = Scratch::new();
    let _ = scratch.unpack(archive);
    scratch.assert_untouched();
    scratch
}

#[test]
fn names_that_climb_out_are_refused() {
    for name in ["../outside/precious", "a/../../outside/precious", "/../outside/new", ".."] {
        assert_refused(name, &Archive::new().file(name, "evil"));
        assert_refused(name, &Archive::new().dir(name));
        assert_refused(name, &Archive::new().symlink(name, "x"));
        assert_refused(name, &Archive::new().file("a", "").hard_link("b", name));
    }
    let pax = |name: &[u8]| Archive::new().pax(&[("path", name)]).file("x", "evil");
    assert_refused("pax", &pax(b"../outside/precious"));
    assert_refused("nul", &pax(b"a\0b"));
}

#[test]
fn links_do_not_lead_writes_outside() {
    let outside = "../outside";
    for target in [outside, "/../outside", "/proc/self/cwd", "..", "/"] {
        let archive = Archive::new()
            .symlink("door", target)
            .file("door/precious", "evil")
            .file("door/new", "evil")
            .dir("door/outside")
            .file("door/outside/precious", "evil")
            .hard_link("door/link", "door/new");
        assert_contained(&archive);
    }
}

#[test]
fn a_directory_swapped_for_a_link_is_not_written_through() {
    let archive = Archive::new()
        .dir("door")
        .file("door/first", "")
        .symlink("door", "../outside")
        .file("door/precious", "evil")
        .file("door/second", "");
    let scratch = assert_contained(&archive);
    // As a process in the image's root would see it: /door leads to /outside.
    assert_eq!(names(&scratch.layer().join("outside")), ["precious", "second"]);
}

#[test]
fn a_link_swapped_for_a_directory_is_not_written_through() {
    let scratch = Scratch::new();
    let archive = Archive::new().symlink("a", "b").file("a/x", "").dir("a/").file("a/y", "");
    scratch.unpack(&archive).unwrap();
    assert_eq!(names(&scratch.layer().join("a")), ["y"]);
    assert_eq!(names(&scratch.layer().join("b")), ["x"]);
}

#[test]
fn a_file_is_not_written_through_a_link_of_its_own_name() {
    let archive = Archive::new()
        .symlink("file", "../outside/precious")
        .file("file", "evil")
        .symlink("dir", "../outside")
        .dir("dir");
    let scratch = assert_contained(&archive);
    assert_eq!(fs::read_to_string(scratch.layer().join("file")).unwrap(), "evil");
    assert!(!scratch.layer().join("dir").is_symlink());
}

#[test]
fn hard_links_through_or_to_links_stay_inside() {
    let archive = Archive::new()
        .symlink("door", "../outside")
        .symlink("precious", "../outside/precious")
        .hard_link("alias", "precious")
        .file("alias", "evil");
    assert_contained(&archive);
    let through = Archive::new().symlink("door", "../outside").hard_link("got", "door/precious");
    assert_refused("through a link", &through);
    assert_refused("to nothing", &Archive::new().hard_link("a", "b"));
    assert_refused("to itself", &Archive::new().file("a", "").hard_link("a", "./a"));
    assert_refused("to a directory", &Archive::new().dir("a").hard_link("b", "a"));
    assert_refused("to the root", &Archive::new().hard_link("b", "/"));
    let inside_out = Archive::new().dir("a").file("a/x", "").hard_link("a", "a/x");
    assert_refused("to what it replaces", &inside_out);
}

#[test]
fn whiteouts_of_dots_are_refused() {
    for name in [".wh.", ".wh..", ".wh...", "a/.wh..."] {
        assert_refused(name, &Archive::new().file(name, ""));
    }
}

#[test]
fn whiteouts_do_not_follow_links_outside() {
    let archive =
        Archive::new().symlink("door", "../outside").file("door/.wh.precious", "").file("door/.wh..wh..opq", "");
    assert_contained(&archive);
}

#[test]
fn overlay_attributes_of_the_archive_are_ignored() {
    let scratch = Scratch::new();
    let archive = Archive::new()
        .pax(&[
            ("SCHILY.xattr.trusted.overlay.redirect", b"/../outside"),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ])
        .dir("d");
    scratch.unpack(&archive).unwrap();
    let mut value = [0; 64];
    for name in ["trusted.overlay.redirect", "trusted.overlay.opaque"] {
        assert!(lgetxattr(scratch.layer().join("d"), name, &mut value).is_err(), "{name}");
    }
}

#[test]
fn loops_and_mazes_of_links_are_refused() {
    let around = Archive::new().symlink("a", "b").symlink("b", "a").file("a/x", "");
    assert_refused("loop", &around);
    let long = "x/../".repeat(600);
    let mut maze = Archive::new().dir("x");
    for level in 0..30 {
        let target = format!("{long}l{}", level + 1);
        maze = maze.pax(&[("linkpath", target.as_bytes())]).symlink(&format!("l{level}"), "");
    }
    assert_refused("maze", &maze.file("l0/x", ""));
}

#[test]
fn a_file_is_no_parent() {
    assert_refused("file", &Archive::new().file("a", "").file("a/b", ""));
    let fifo = Archive::new().raw(&mut header("p", EntryType::Fifo), b"").file("p/b", "");
    assert_refused("fifo", &fifo);
}

#[test]
fn overlong_names_and_targets_are_refused() {
    let name = "n".repeat(256);
    assert_refused("name", &Archive::new().pax(&[("path", name.as_bytes())]).file("x", ""));
    let path = "d/".repeat(2500);
    assert_refused("path", &Archive::new().pax(&[("path", path.as_bytes())]).file("x", ""));
    let target = "t".repeat(5000);
    let link = Archive::new().pax(&[("linkpath", target.as_bytes())]).symlink("x", "");
    assert_refused("target", &link);
    assert_refused("empty target", &Archive::new().symlink("x", ""));
}

#[test]
fn claims_beyond_the_data_are_refused() {
    let mut huge = header("huge", EntryType::Regular);
    huge.set_size(1 << 40);
    huge.set_cksum();
    assert_refused("huge file", &Archive::new().append(huge.as_bytes()));
    let mut meta = header("pax", EntryType::XHeader);
    meta.set_size(1 << 40);
    meta.set_cksum();
    assert_refused("huge header", &Archive::new().append(meta.as_bytes()));
    assert_refused("huge size", &Archive::new().pax(&[("size", b"18446744073709551615")]).file("a", "x"));
    assert_refused("odd type", &Archive::new().raw(&mut header("a", EntryType::new(b'!')), b""));
    // Cut to 32 bits these would be root.
    assert_refused("no owner", &Archive::new().pax(&[("uid", b"4294967296")]).file("a", "x"));
    assert_refused("no owner", &Archive::new().pax(&[("gid", b"-4294967296")]).file("a", "x"));
}

#[test]
fn more_attributes_than_a_file_can_have_are_refused() {
    let keys: Vec<String> = (0..=1024).map(|i| format!("SCHILY.xattr.user.{i}")).collect();
    let records: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.as_str(), b"x".as_slice())).collect();
    assert_refused("attributes", &Archive::new().pax(&records).file("x", ""));
}

#[test]
fn limits_are_enforced() {
    let scratch = Scratch::new();
    let archive = (0..20).fold(Archive::new(), |archive, i| archive.file(&format!("d{i}/f"), "x"));
    let bytes = archive.bytes();
    let blob = scratch.root.join("blob");
    fs::write(&blob, &bytes).unwrap();
    let attempt = |max_bytes, max_entries| {
        unpack(&Unpack {
            blob: &blob,
            media_type: "application/vnd.oci.image.layer.v1.tar+gzip",
            diff_id: &diff_id(&bytes),
            dir: &scratch.layer(),
            parents: &[],
            limits: Limits { max_bytes, max_entries, ..Limits::default() },
        })
    };
    let size = bytes.len() as u64;
    // 20 files, 20 directories on the way, one end mark.
    for (max_bytes, max_entries) in [(size - 1, 41), (size, 40)] {
        assert!(matches!(attempt(max_bytes, max_entries), Err(LayerError::Exhausted(_))));
        assert!(names(&scratch.layer()).is_empty());
    }
    attempt(size, 41).unwrap();
}
