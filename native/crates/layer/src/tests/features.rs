//! What an ordinary layer holds arrives on disk unchanged.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use rustix::fs::{getxattr, lgetxattr};
use tar::EntryType;

use crate::testing::{Archive, Scratch, header, names};

#[test]
fn names_with_any_prefix_land_below_the_root() {
    let scratch = Scratch::new();
    let archive = Archive::new().dir("./").file("/etc/absolute", "1").file("./etc/dotted", "2").file("etc/plain", "3");
    scratch.unpack(&archive).unwrap();
    assert_eq!(names(&scratch.layer().join("etc")), ["absolute", "dotted", "plain"]);
    assert_eq!(fs::read_to_string(scratch.layer().join("etc/dotted")).unwrap(), "2");
}

#[test]
fn owners_modes_and_times_are_kept() {
    let scratch = Scratch::new();
    let mut file = header("bin/su", EntryType::Regular);
    file.set_mode(0o6755);
    file.set_uid(1234);
    file.set_gid(56_789);
    let mut dir = header("bin/", EntryType::Directory);
    dir.set_mode(0o1777);
    dir.set_mtime(1_600_000_000);
    let archive = Archive::new().raw(&mut dir, b"").pax(&[("mtime", b"1700000000.123456789")]).raw(&mut file, b"x");
    scratch.unpack(&archive).unwrap();
    let file = fs::metadata(scratch.layer().join("bin/su")).unwrap();
    assert_eq!((file.mode() & 0o7777, file.uid(), file.gid()), (0o6755, 1234, 56_789));
    assert_eq!((file.mtime(), file.mtime_nsec()), (1_700_000_000, 123_456_789));
    let dir = fs::metadata(scratch.layer().join("bin")).unwrap();
    assert_eq!((dir.mode() & 0o7777, dir.mtime()), (0o1777, 1_600_000_000));
}

#[test]
fn the_root_entry_gives_the_root_its_attributes() {
    let scratch = Scratch::new();
    let mut root = header("./", EntryType::Directory);
    root.set_mode(0o711);
    root.set_uid(7);
    root.set_mtime(99);
    scratch.unpack(&Archive::new().raw(&mut root, b"").file("a", "")).unwrap();
    let meta = fs::metadata(scratch.layer()).unwrap();
    assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.mtime()), (0o711, 7, 99));
}

#[test]
fn file_capabilities_survive_the_change_of_owner() {
    let scratch = Scratch::new();
    let capability = b"\x01\0\0\x02\n\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let mut ping = header("ping", EntryType::Regular);
    ping.set_uid(5);
    let archive = Archive::new()
        .pax(&[("SCHILY.xattr.security.capability", capability), ("SCHILY.xattr.user.note", b"a\nb")])
        .raw(&mut ping, b"elf");
    scratch.unpack(&archive).unwrap();
    let path = scratch.layer().join("ping");
    let mut value = vec![0; 64];
    let length = getxattr(&path, "security.capability", &mut value).unwrap();
    assert_eq!(&value[..length], capability);
    let length = getxattr(&path, "user.note", &mut value).unwrap();
    assert_eq!(&value[..length], b"a\nb");
}

#[test]
fn links_and_special_files_are_made() {
    let scratch = Scratch::new();
    let mut null = header("null", EntryType::Char);
    null.set_device_major(1).unwrap();
    null.set_device_minor(3).unwrap();
    let mut disk = header("disk", EntryType::Block);
    disk.set_device_major(7).unwrap();
    disk.set_device_minor(200).unwrap();
    let archive = Archive::new()
        .file("a", "shared")
        .hard_link("b", "/a")
        .symlink("c", "/nowhere/at all")
        .raw(&mut null, b"")
        .raw(&mut disk, b"")
        .raw(&mut header("pipe", EntryType::Fifo), b"");
    let unpacked = scratch.unpack(&archive).unwrap();
    let at = |name: &str| fs::symlink_metadata(scratch.layer().join(name)).unwrap();
    assert_eq!((at("a").ino(), at("a").nlink()), (at("b").ino(), 2));
    let target = fs::read_link(scratch.layer().join("c")).unwrap();
    assert_eq!(target.to_str(), Some("/nowhere/at all"));
    assert_eq!(at("c").mtime(), 1);
    assert!(at("null").file_type().is_char_device() && at("null").rdev() == 0x103);
    assert!(at("disk").file_type().is_block_device() && at("disk").mode() & 0o7777 == 0o644);
    assert!(at("pipe").file_type().is_fifo());
    assert_eq!(unpacked.usage.inodes, 6);
}

#[test]
fn long_names_come_from_gnu_and_from_pax_headers() {
    let scratch = Scratch::new();
    let long = format!("{}/{}", "d".repeat(150), "f".repeat(200));
    let path = format!("{}/ünïcode ☃", "p".repeat(150));
    let archive = Archive::new()
        .raw(&mut header("././@LongLink", EntryType::GNULongName), format!("{long}\0").as_bytes())
        .raw(&mut header("././@LongLink", EntryType::GNULongLink), format!("/{long}\0").as_bytes())
        .symlink("short", "short")
        .pax(&[("path", path.as_bytes())])
        .file("short", "x");
    scratch.unpack(&archive).unwrap();
    let target = fs::read_link(scratch.layer().join(&long)).unwrap();
    assert_eq!(target.to_str(), Some(format!("/{long}").as_str()));
    assert_eq!(fs::read_to_string(scratch.layer().join(path)).unwrap(), "x");
}

#[test]
fn attributes_of_symlinks_are_set_on_the_link() {
    let scratch = Scratch::new();
    let archive = Archive::new()
        .file("target", "")
        .pax(&[("SCHILY.xattr.trusted.mark", b"1"), ("uid", b"4000000000")])
        .symlink("link", "target");
    scratch.unpack(&archive).unwrap();
    let link = scratch.layer().join("link");
    let mut value = [0; 8];
    assert_eq!(lgetxattr(&link, "trusted.mark", &mut value), Ok(1));
    assert!(getxattr(&link, "trusted.mark", &mut value).is_err());
    assert_eq!(fs::symlink_metadata(&link).unwrap().uid(), 4_000_000_000);
}

#[test]
fn a_later_entry_replaces_an_earlier_one() {
    let scratch = Scratch::new();
    let archive = Archive::new()
        .file("a", "first")
        .file("a", "second")
        .dir("b")
        .file("b/x", "")
        .file("b", "now a file")
        .file("c", "")
        .dir("c")
        .dir("d")
        .file("d/kept", "")
        .dir("d");
    scratch.unpack(&archive).unwrap();
    assert_eq!(fs::read_to_string(scratch.layer().join("a")).unwrap(), "second");
    assert_eq!(fs::read_to_string(scratch.layer().join("b")).unwrap(), "now a file");
    assert!(scratch.layer().join("c").is_dir());
    assert_eq!(names(&scratch.layer().join("d")), ["kept"]);
}

#[test]
fn an_entry_below_a_link_goes_where_the_link_leads_inside_the_root() {
    let scratch = Scratch::new();
    let archive = Archive::new()
        .dir("usr")
        .dir("usr/lib")
        .symlink("lib", "usr/lib")
        .symlink("abs", "/usr")
        .symlink("up", "../../../../usr/./lib/..")
        .file("lib/x", "1")
        .file("abs/lib/y", "2")
        .file("up/z", "3");
    scratch.unpack(&archive).unwrap();
    assert_eq!(names(&scratch.layer().join("usr/lib")), ["x", "y"]);
    assert_eq!(names(&scratch.layer().join("usr")), ["lib", "z"]);
    assert!(scratch.layer().join("lib").is_symlink());
    scratch.assert_untouched();
}
