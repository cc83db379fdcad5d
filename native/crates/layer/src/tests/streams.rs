//! Compression, digests and damage of the stream as a whole.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::testing::{Archive, Scratch, diff_id, names};
use crate::{LayerError, Limits};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn sample() -> Vec<u8> {
    Archive::new().file("a", "1").file("b", &"x".repeat(100_000)).bytes()
}

#[test]
fn gzip_of_several_members_and_zstd_of_several_frames_unpack() {
    let tar = sample();
    let (first, second) = tar.split_at(700);
    let members = [gzip(first), gzip(second)].concat();
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let frames = [zstd(first), zstd(second)].concat();
    for blob in [members, frames, tar.clone()] {
        let scratch = Scratch::new();
        let unpacked = scratch.unpack_blob(&blob, &diff_id(&tar), &[]).unwrap();
        assert_eq!(names(&scratch.layer()), ["a", "b"]);
        assert_eq!((unpacked.bytes, unpacked.usage.inodes), (tar.len() as u64, 3));
    }
}

#[test]
fn bytes_after_the_archives_end_count_for_the_digest() {
    let mut tar = sample();
    tar.extend_from_slice(&[0; 20 * 512]);
    tar.extend_from_slice(b"trailing");
    let scratch = Scratch::new();
    scratch.unpack_blob(&gzip(&tar), &diff_id(&tar), &[]).unwrap();
    let scratch = Scratch::new();
    let short = diff_id(&tar[..tar.len() - 8]);
    assert!(scratch.unpack_blob(&gzip(&tar), &short, &[]).is_err());
}

#[test]
fn a_wrong_digest_empties_the_directory() {
    let scratch = Scratch::new();
    let result = scratch.unpack_blob(&sample(), &diff_id(b"other"), &[]);
    assert!(matches!(result, Err(LayerError::Invalid(_))), "{result:?}");
    assert!(names(&scratch.layer()).is_empty());
    for id in ["", "md5:00", "sha256:00", &diff_id(b"").to_uppercase()] {
        assert!(matches!(scratch.unpack_blob(&sample(), id, &[]), Err(LayerError::Invalid(_))));
    }
}

#[test]
fn a_cut_or_flipped_stream_is_refused() {
    let tar = sample();
    let blob = gzip(&tar);
    let mut flipped = blob.clone();
    flipped[blob.len() / 2] ^= 0x55;
    for damaged in [&blob[..blob.len() / 2], &blob[..blob.len() - 4], &flipped, &tar[..700]] {
        let scratch = Scratch::new();
        let result = scratch.unpack_blob(damaged, &diff_id(&tar), &[]);
        assert!(matches!(result, Err(LayerError::Invalid(_))), "{result:?}");
        assert!(names(&scratch.layer()).is_empty());
    }
}

#[test]
fn an_empty_archive_is_an_empty_layer() {
    let scratch = Scratch::new();
    let unpacked = scratch.unpack(&Archive::new()).unwrap();
    assert_eq!(unpacked.usage.inodes, 1);
    let scratch = Scratch::new();
    scratch.unpack_blob(b"", &diff_id(b""), &[]).unwrap();
}

#[test]
fn a_compression_bomb_stops_at_the_ratio_and_preallocated_files_do_not() {
    let tar = Archive::new().file("prealloc.log", &"\0".repeat(100 << 20)).bytes();
    let blob = zstd::encode_all(tar.as_slice(), 1).unwrap();
    assert!(tar.len() / blob.len() > 4096);
    let scratch = Scratch::in_memory();
    scratch.unpack_blob(&blob, &diff_id(&tar), &[]).unwrap();
    assert_eq!(std::fs::metadata(scratch.layer().join("prealloc.log")).unwrap().len(), 100 << 20);
    let scratch = Scratch::in_memory();
    let limits = Limits { ratio_from: 64 << 20, ..Limits::default() };
    let result = scratch.unpack_within(&blob, &diff_id(&tar), limits);
    assert!(matches!(result, Err(LayerError::Exhausted(_))), "{result:?}");
    assert!(names(&scratch.layer()).is_empty());
}

#[test]
fn a_zstd_window_that_would_take_our_memory_is_refused_by_its_size() {
    let header = |window_log: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, (window_log - 10) << 3, 1, 0, 0];
    Scratch::new().unpack_blob(&header(27), &diff_id(b""), &[]).unwrap();
    let refused = Scratch::new().unpack_blob(&header(28), &diff_id(b""), &[]);
    assert!(matches!(refused, Err(LayerError::Invalid(word)) if word.contains("zstd --long=27")));
}

#[test]
fn zstd_that_begins_with_a_skippable_frame_unpacks() {
    let tar = sample();
    let frame = zstd::encode_all(tar.as_slice(), 1).unwrap();
    for first in [0x50, 0x5f] {
        let skippable = [&[first, 0x2a, 0x4d, 0x18, 4, 0, 0, 0], [1, 2, 3, 4].as_slice(), &frame, &frame[..0]].concat();
        let scratch = Scratch::new();
        scratch.unpack_blob(&skippable, &diff_id(&tar), &[]).unwrap();
        assert_eq!(names(&scratch.layer()), ["a", "b"]);
    }
}

#[test]
fn the_last_member_may_lack_its_padding_and_the_archive_its_end_mark() {
    let whole = Archive::new().file("a", "1").file("b", "22").bytes();
    // Two blocks each; then no end mark, half of one, no padding, half of it.
    for length in [2048, 2560, 1536 + 2, 1536 + 100] {
        let scratch = Scratch::new();
        scratch.unpack_blob(&whole[..length], &diff_id(&whole[..length]), &[]).unwrap();
        assert_eq!(std::fs::read_to_string(scratch.layer().join("b")).unwrap(), "22", "{length}");
    }
    for length in [1536 + 1, 1536 - 1, 1024 + 200] {
        let scratch = Scratch::new();
        let result = scratch.unpack_blob(&whole[..length], &diff_id(&whole[..length]), &[]);
        assert!(matches!(result, Err(LayerError::Invalid(_))), "{length}: {result:?}");
    }
}

#[test]
fn a_directory_in_use_is_left_alone() {
    let scratch = Scratch::new();
    std::fs::write(scratch.layer().join("mine"), "").unwrap();
    assert!(scratch.unpack_blob(&sample(), &diff_id(&sample()), &[]).is_err());
    assert_eq!(names(&scratch.layer()), ["mine"]);
}
