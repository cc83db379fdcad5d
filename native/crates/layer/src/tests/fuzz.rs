//! Random damage never panics, never reaches outside and never leaves a half layer.

use tar::EntryType;

use crate::testing::{Archive, Scratch, header, names};

/// A small generator with a fixed seed, so that a failure repeats.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

fn attempt(bytes: &[u8], seed: u64) {
    let scratch = Scratch::in_memory();
    let unpacked = scratch.unpack_blob(bytes, &crate::testing::diff_id(bytes), &[]);
    if unpacked.is_err() {
        assert!(names(&scratch.layer()).is_empty(), "seed {seed}");
    }
    scratch.assert_untouched();
}

#[test]
fn garbage_is_refused_calmly() {
    for seed in 1..150 {
        let mut random = Random(seed);
        let length = random.below(5000);
        let mut bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        if seed % 3 == 0 && length > 4 {
            bytes[..4].copy_from_slice(&[0x1f, 0x8b, 8, 0]);
        } else if seed % 3 == 1 && length > 4 {
            bytes[..4].copy_from_slice(&[0x28, 0xb5, 0x2f, 0xfd]);
        }
        attempt(&bytes, seed);
    }
}

#[test]
fn random_trees_of_hostile_entries_stay_inside() {
    const NAMES: [&str; 12] =
        ["a", "b", "a/b", "b/a", "a/b/c", "./a", "/b", "a/../b", "a/.wh.b", ".wh.a", "b/.wh..wh..opq", "c"];
    const TARGETS: [&str; 8] = ["a", "b", "/", "..", "../outside", "/a/b", "../../outside/precious", "c/.."];
    for seed in 1..400 {
        let mut random = Random(seed * 7919);
        let mut archive = Archive::new();
        for _ in 0..1 + random.below(14) {
            let (name, target) = (random.pick(&NAMES), random.pick(&TARGETS));
            archive = match random.below(6) {
                0 => archive.dir(name),
                1 => archive.symlink(name, target),
                2 => archive.hard_link(name, target),
                3 => archive.raw(&mut header(name, EntryType::Fifo), b""),
                _ => archive.file(name, "evil"),
            };
        }
        attempt(&archive.bytes(), seed);
    }
}

#[test]
fn flipped_headers_are_survived() {
    let sample = Archive::new()
        .pax(&[("path", b"long/name"), ("GNU.sparse.map", b"0,1"), ("GNU.sparse.size", b"9")])
        .file("x", "1")
        .symlink("l", "..")
        .hard_link("h", "long/name")
        .bytes();
    for seed in 1..300 {
        let mut random = Random(seed * 104_729);
        let mut bytes = sample.clone();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = random.next() as u8;
        }
        // Right checksums let the damage reach the code behind them.
        for block in bytes.chunks_exact_mut(512) {
            if block[257..262] == *b"ustar" {
                let mut header = tar::Header::new_old();
                header.as_mut_bytes().copy_from_slice(block);
                header.set_cksum();
                block.copy_from_slice(header.as_bytes());
            }
        }
        attempt(&bytes, seed);
    }
}
