//! Sparse files of every generation, with their holes.

use std::fs;
use std::os::unix::fs::MetadataExt;

use tar::{EntryType, Header};

use crate::LayerError;
use crate::testing::{Archive, Scratch, header, names};

const SIZE: u64 = 8 << 20;

fn expect(scratch: &Scratch) {
    let path = scratch.layer().join("sparse");
    let meta = fs::metadata(&path).unwrap();
    assert_eq!(meta.size(), SIZE);
    assert!(meta.blocks() * 512 < 64 << 10, "{} blocks", meta.blocks());
    let content = fs::read(&path).unwrap();
    assert_eq!((&content[..3], &content[SIZE as usize - 3..]), (b"abc".as_slice(), b"xyz".as_slice()));
    assert!(content[3..SIZE as usize - 3].iter().all(|&byte| byte == 0));
}

#[test]
fn gnu_slots_describe_the_segments() {
    let scratch = Scratch::new();
    let mut header = Header::new_gnu();
    header.set_path("sparse").unwrap();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.set_real_size(SIZE);
    gnu.sparse[0].set_offset(0);
    gnu.sparse[0].set_length(3);
    gnu.sparse[1].set_offset(SIZE - 3);
    gnu.sparse[1].set_length(3);
    scratch.unpack(&Archive::new().raw(&mut header, b"abcxyz")).unwrap();
    expect(&scratch);
}

#[test]
fn pax_maps_describe_the_segments() {
    let size = SIZE.to_string();
    let far = (SIZE - 3).to_string();
    let map = format!("0,3,{far},3");
    let generation_0_1 = [("GNU.sparse.size", size.as_bytes()), ("GNU.sparse.map", map.as_bytes())];
    let generation_0_0 = [
        ("GNU.sparse.size", size.as_bytes()),
        ("GNU.sparse.numblocks", b"2"),
        ("GNU.sparse.offset", b"0"),
        ("GNU.sparse.numbytes", b"3"),
        ("GNU.sparse.offset", far.as_bytes()),
        ("GNU.sparse.numbytes", b"3"),
    ];
    for records in [generation_0_1.as_slice(), &generation_0_0] {
        let scratch = Scratch::new();
        scratch.unpack(&Archive::new().pax(records).file("sparse", "abcxyz")).unwrap();
        expect(&scratch);
    }
}

#[test]
fn the_map_may_be_in_front_of_the_data() {
    let scratch = Scratch::new();
    let mut body = format!("2\n0\n3\n{}\n3\n", SIZE - 3).into_bytes();
    body.resize(512, 0);
    body.extend_from_slice(b"abcxyz");
    let archive = Archive::new()
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"sparse"),
            ("GNU.sparse.realsize", SIZE.to_string().as_bytes()),
        ])
        .raw(&mut header("GNUSparseFile.0/sparse", EntryType::Regular), &body);
    scratch.unpack(&archive).unwrap();
    expect(&scratch);
}

#[test]
fn a_name_for_a_sparse_file_names_no_other() {
    let scratch = Scratch::new();
    let records = [("GNU.sparse.major", b"2".as_slice()), ("GNU.sparse.name", b"other")];
    scratch.unpack(&Archive::new().pax(&records).file("dense", "abc")).unwrap();
    assert_eq!(names(&scratch.layer()), ["dense"]);
}

#[test]
fn a_sparse_bomb_hits_the_size_limit() {
    let scratch = Scratch::new();
    let size = (1_u64 << 41).to_string();
    let records = [("GNU.sparse.size", size.as_bytes()), ("GNU.sparse.map", b"0,3")];
    let result = scratch.unpack(&Archive::new().pax(&records).file("bomb", "abc"));
    assert!(matches!(result, Err(LayerError::Exhausted(_))), "{result:?}");
}
