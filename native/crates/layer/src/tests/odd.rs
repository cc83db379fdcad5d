//! What odd writers make and the field's reader takes.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{getxattr, lgetxattr};
use tar::EntryType;

use crate::testing::{Archive, Scratch, header, names};

#[test]
fn of_two_pax_headers_in_a_row_the_later_one_counts_alone() {
    let scratch = Scratch::new();
    let archive = Archive::new()
        .pax(&[("path", b"lost"), ("uid", b"5")])
        .pax(&[("path", b"a")])
        .file("x", "")
        .pax(&[("path", b"b")])
        .file("x", "");
    scratch.unpack(&archive).unwrap();
    assert_eq!(names(&scratch.layer()), ["a", "b"]);
    assert_eq!(fs::metadata(scratch.layer().join("a")).unwrap().uid(), 0);
}

#[test]
fn global_headers_are_no_entries_and_describe_none() {
    let scratch = Scratch::new();
    let mut global = header("pax_global_header", EntryType::XGlobalHeader);
    let archive =
        Archive::new().raw(&mut global, b"52 comment=0123456789abcdef0123456789abcdef01234567\n").file("a", "");
    scratch.unpack(&archive).unwrap();
    assert_eq!(names(&scratch.layer()), ["a"]);
}

#[test]
fn what_is_named_like_the_root_is_passed_over_unless_it_is_a_directory() {
    let scratch = Scratch::new();
    let archive = Archive::new()
        .file("a", "1")
        .hard_link("./", "a")
        .hard_link("", "a")
        .hard_link("a/..", "nothing")
        .symlink("/", "a")
        .file(".", "body of the root")
        .file("b", "2");
    scratch.unpack(&archive).unwrap();
    assert_eq!(names(&scratch.layer()), ["a", "b"]);
    scratch.assert_untouched();
}

#[test]
fn negative_owners_are_the_same_32_bits_and_minus_one_is_nobodys() {
    let scratch = Scratch::new();
    let mut binary = header("binary", EntryType::Regular);
    binary.as_old_mut().uid = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe];
    let archive = Archive::new()
        .raw(&mut binary, b"")
        .pax(&[("uid", b"-2"), ("gid", b"-2147483648")])
        .file("pax", "")
        .pax(&[("uid", b"-1"), ("gid", b"4294967295")])
        .dir("none");
    scratch.unpack(&archive).unwrap();
    let owner = |name: &str| {
        let meta = fs::metadata(scratch.layer().join(name)).unwrap();
        (meta.uid(), meta.gid())
    };
    assert_eq!(owner("binary"), (u32::MAX - 1, 0));
    assert_eq!(owner("pax"), (u32::MAX - 1, 1 << 31));
    assert_eq!(owner("none"), (0, 0));
}

#[test]
fn hard_links_into_aufs_bookkeeping_are_made_and_nothing_of_it_shows() {
    let scratch = Scratch::new();
    let archive = Archive::new()
        .dir(".wh..wh.plnk")
        .dir(".wh..wh.orph")
        .file(".wh..wh.orph/x", "")
        .file(".wh..wh.plnk/1.2", "shared")
        .hard_link(".wh..wh.plnk/1.3", "q/a")
        .dir("q")
        .hard_link("q/a", ".wh..wh.plnk/1.2")
        .hard_link("q/b", "/.wh..wh.plnk/1.2")
        .hard_link("q/.wh.gone", ".wh..wh.aufs");
    scratch.unpack(&archive).unwrap();
    assert_eq!(names(&scratch.layer()), ["q"]);
    let meta = fs::metadata(scratch.layer().join("q/a")).unwrap();
    assert_eq!((meta.nlink(), meta.ino()), (2, fs::metadata(scratch.layer().join("q/b")).unwrap().ino()));
    assert_eq!(fs::read_to_string(scratch.layer().join("q/b")).unwrap(), "shared");
}

#[test]
fn a_link_that_leads_into_aufs_bookkeeping_leaves_nothing_there() {
    let scratch = Scratch::new();
    let archive =
        Archive::new().file(".wh..wh.plnk/1", "").symlink("door", ".wh..wh.plnk").file("door/sub/x", "").file("a", "");
    scratch.unpack(&archive).unwrap();
    assert_eq!(names(&scratch.layer()), ["a", "door"]);
    scratch.assert_untouched();
}

#[test]
fn a_prefix_that_old_go_wrote_into_a_gnu_header_counts() {
    let scratch = Scratch::new();
    let mut file = header("name", EntryType::Regular);
    file.as_mut_bytes()[257..265].copy_from_slice(b"ustar  \0");
    file.as_mut_bytes()[345..353].copy_from_slice(b"some/dir");
    let mut times = header("timed", EntryType::Regular);
    times.as_mut_bytes()[257..265].copy_from_slice(b"ustar  \0");
    times.as_mut_bytes()[345..357].copy_from_slice(b"12345670123\0");
    scratch.unpack(&Archive::new().raw(&mut file, b"").raw(&mut times, b"")).unwrap();
    assert_eq!(names(&scratch.layer()), ["some", "timed"]);
    assert_eq!(names(&scratch.layer().join("some/dir")), ["name"]);
}

#[test]
fn an_attribute_may_be_empty() {
    let scratch = Scratch::new();
    scratch.unpack(&Archive::new().pax(&[("SCHILY.xattr.user.mark", b"")]).file("a", "")).unwrap();
    assert_eq!(lgetxattr(scratch.layer().join("a"), "user.mark", &mut [0; 8]), Ok(0));
}

#[test]
fn what_the_header_of_a_hard_link_says_counts_for_the_file() {
    let scratch = Scratch::new();
    let mut link = header("other", EntryType::Link);
    link.set_link_name("file").unwrap();
    link.set_mode(0o4711);
    link.set_uid(5);
    link.set_mtime(77);
    let archive = Archive::new().file("file", "x").pax(&[("SCHILY.xattr.user.late", b"1")]).raw(&mut link, b"");
    scratch.unpack(&archive).unwrap();
    let file = fs::metadata(scratch.layer().join("file")).unwrap();
    assert_eq!((file.mode() & 0o7777, file.uid(), file.mtime(), file.nlink()), (0o4711, 5, 77, 2));
    assert_eq!(getxattr(scratch.layer().join("file"), "user.late", &mut [0; 4]), Ok(1));
}

#[test]
fn a_hard_link_that_says_the_same_takes_no_capabilities_away() {
    let scratch = Scratch::new();
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let archive = Archive::new()
        .pax(&[("SCHILY.xattr.security.capability", capability.as_slice())])
        .file("ping", "elf")
        .hard_link("ping6", "ping");
    scratch.unpack(&archive).unwrap();
    assert_eq!(getxattr(scratch.layer().join("ping6"), "security.capability", &mut [0; 64]), Ok(20));
}

#[test]
fn the_header_of_a_hard_link_to_a_symlink_leaves_what_that_leads_to_alone() {
    let scratch = Scratch::new();
    let mut link = header("other", EntryType::Link);
    link.set_link_name("door").unwrap();
    link.set_mode(0o4777);
    link.set_uid(5);
    scratch.unpack(&Archive::new().symlink("door", "../outside/precious").raw(&mut link, b"")).unwrap();
    assert_eq!(fs::symlink_metadata(scratch.layer().join("door")).unwrap().uid(), 5);
    let outside = fs::metadata(scratch.root.join("outside/precious")).unwrap();
    assert_eq!((outside.mode() & 0o7777, outside.uid()), (0o644, 0));
}
