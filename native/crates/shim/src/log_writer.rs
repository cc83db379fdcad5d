//! The CRI log file: `<RFC3339Nano> <stdout|stderr> <P|F> <content>\n`, one entry a line, split at a length limit.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::clock;

/// Content bytes of one entry when nothing else is said.
pub const DEFAULT_MAX_LINE: usize = 16_384;

const NO_FILE: &str = "it is no regular file";

/// Entries of short lines are twenty times as long as the lines: so many bytes are written at once at most.
const BATCH_BYTES: usize = 64 << 10;

/// Which of the container's outputs a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Writes entries of both streams. A full disk loses lines, but never stops the container.
#[derive(Debug)]
pub struct LogWriter {
    path: PathBuf,
    file: File,
    max_line: usize,
    /// The unfinished line of each stream.
    pending: [Vec<u8>; 2],
    /// Entries of the read under way, written together.
    batch: Vec<u8>,
    /// The last write ended inside a line.
    torn: bool,
}

impl LogWriter {
    /// Opens the log for appending, making it (0640) if absent. The path must hold no symbolic link, and what is there
    /// must be a regular file: a container may have its log directory mounted.
    ///
    /// # Errors
    /// That of open(2), or what is in the way.
    pub fn open(path: &Path, max_line: usize) -> io::Result<Self> {
        let max_line = if max_line == 0 { DEFAULT_MAX_LINE } else { max_line };
        Ok(Self {
            path: path.to_owned(),
            file: append(path)
                .map_err(|error| io::Error::new(error.kind(), format!("open log {}: {error}", path.display())))?,
            max_line,
            pending: [Vec::new(), Vec::new()],
            batch: Vec::new(),
            torn: false,
        })
    }

    /// Opens the path anew: later entries go there and none to the old file.
    ///
    /// # Errors
    /// As [`LogWriter::open`]; the old file then stays in use.
    pub fn reopen(&mut self) -> io::Result<()> {
        self.file = append(&self.path)?;
        self.torn = false;
        Ok(())
    }

    /// Takes what was read at once from a stream; all its entries carry one time.
    pub fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let time = clock::rfc3339(clock::now());
        let mut pending = std::mem::take(&mut self.pending[stream as usize]);
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            pending.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            if pending.last() == Some(&b'\r') {
                pending.pop();
            }
            self.split(stream, &time, &mut pending);
            self.entry(stream, &time, 'F', &pending);
            pending.clear();
        }
        pending.extend_from_slice(rest);
        self.split(stream, &time, &mut pending);
        self.pending[stream as usize] = pending;
        self.write_batch();
    }

    /// The stream ended: what is left without a newline becomes a partial entry.
    pub fn finish(&mut self, stream: Stream) {
        let pending = std::mem::take(&mut self.pending[stream as usize]);
        if !pending.is_empty() {
            self.entry(stream, &clock::rfc3339(clock::now()), 'P', &pending);
            self.write_batch();
        }
    }

    /// Cuts off partial entries while the line is over the limit.
    fn split(&mut self, stream: Stream, time: &str, line: &mut Vec<u8>) {
        let mut start = 0;
        while line.len() - start > self.max_line {
            let end = start + self.max_line;
            self.entry(stream, time, 'P', &line[start..end]);
            start = end;
        }
        line.drain(..start);
    }

    fn entry(&mut self, stream: Stream, time: &str, tag: char, content: &[u8]) {
        // Writing to a Vec cannot fail.
        let _ = write!(self.batch, "{time} {} {tag} ", stream.name());
        self.batch.extend_from_slice(content);
        self.batch.push(b'\n');
        if self.batch.len() >= BATCH_BYTES {
            self.write_batch();
        }
    }

    fn write_batch(&mut self) {
        if self.torn {
            self.batch.insert(0, b'\n');
        }
        let mut rest = self.batch.as_slice();
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(count) => {
                    self.torn = count > 0 && rest[count - 1] != b'\n';
                    rest = &rest[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.batch.clear();
        self.batch.shrink_to(BATCH_BYTES);
    }
}

fn append(path: &Path) -> io::Result<File> {
    // Without waiting: a FIFO has no reader.
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = openat2(CWD, path, flags, Mode::from_raw_mode(0o640), ResolveFlags::NO_SYMLINKS);
    let file = match opened {
        Err(Errno::LOOP) => return Err(io::Error::other("there is a symbolic link on the way")),
        Err(Errno::NXIO) => return Err(io::Error::other(NO_FILE)),
        other => File::from(other?),
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other(NO_FILE)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(name: &str, max_line: usize) -> (PathBuf, LogWriter) {
        let path = std::env::temp_dir().join(format!("berth-log-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let writer = LogWriter::open(&path, max_line).expect("opens");
        (path, writer)
    }

    /// Entries without their times; the file is removed.
    fn entries(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).expect("readable");
        std::fs::remove_file(path).expect("removed");
        text.lines().map(|line| line.split_once(' ').expect("time").1.to_owned()).collect()
    }

    #[test]
    fn lines_cut_anywhere_come_out_whole() {
        let (path, mut log) = log("cut", 0);
        log.take(Stream::Stdout, b"he");
        log.take(Stream::Stderr, b"warn\n");
        log.take(Stream::Stdout, b"llo\n\nlast\r\n");
        assert_eq!(entries(&path), ["stderr F warn", "stdout F hello", "stdout F ", "stdout F last"]);
    }

    #[test]
    fn a_line_of_the_limit_is_one_entry_and_a_longer_one_is_split() {
        let (path, mut log) = log("limit", 4);
        log.take(Stream::Stdout, b"abcd\nabcdefghi\n");
        assert_eq!(entries(&path), ["stdout F abcd", "stdout P abcd", "stdout P efgh", "stdout F i"]);
    }

    #[test]
    fn the_default_limit_is_16_kib() {
        let (path, mut log) = log("default", 0);
        let line = |length: usize| "a".repeat(length);
        log.take(Stream::Stdout, format!("{}\n{}\n", line(16_384), line(16_385)).as_bytes());
        let full = |tag: char| format!("stdout {tag} {}", line(16_384));
        assert_eq!(entries(&path), [full('F'), full('P'), "stdout F a".to_owned()]);
    }

    #[test]
    fn the_limit_holds_across_reads() {
        let (path, mut log) = log("reads", 4);
        log.take(Stream::Stdout, b"abcd");
        log.take(Stream::Stdout, b"\nabcde");
        log.take(Stream::Stdout, b"\n");
        assert_eq!(entries(&path), ["stdout F abcd", "stdout P abcd", "stdout F e"]);
    }

    #[test]
    fn the_end_without_a_newline_is_partial() {
        let (path, mut log) = log("end", 0);
        log.take(Stream::Stderr, b"no newline");
        log.finish(Stream::Stderr);
        log.finish(Stream::Stdout);
        assert_eq!(entries(&path), ["stderr P no newline"]);
    }

    #[test]
    fn reopen_loses_and_repeats_nothing() {
        let (path, mut log) = log("reopen", 0);
        let old = path.with_extension("old");
        log.take(Stream::Stdout, b"one\ntw");
        std::fs::rename(&path, &old).expect("renamed");
        log.reopen().expect("reopened");
        log.take(Stream::Stdout, b"o\n");
        assert_eq!(entries(&old), ["stdout F one"]);
        assert_eq!(entries(&path), ["stdout F two"]);
    }

    #[test]
    fn a_full_disk_loses_lines_and_nothing_else() {
        let (path, mut log) = log("full", 0);
        log.file = File::options().append(true).open("/dev/full").expect("opens");
        log.take(Stream::Stdout, b"lost\n");
        log.file = append(&path).expect("opens");
        log.take(Stream::Stdout, b"kept\n");
        assert_eq!(entries(&path), ["stdout F kept"]);
    }

    #[test]
    fn links_fifos_and_devices_are_no_logs() {
        let dir = std::env::temp_dir().join(format!("berth-log-odd-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("real")).expect("made");
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, dir.join(name)).expect("linked");
        link("real", "dir");
        link("target", "link");
        link("/dev/null", "device");
        rustix::fs::mknodat(CWD, dir.join("fifo"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).expect("made");
        let refused = |name: &str| append(&dir.join(name)).expect_err(name).to_string();
        for name in ["dir/0.log", "link", "device"] {
            assert_eq!(refused(name), "there is a symbolic link on the way", "{name}");
        }
        assert_eq!(refused("fifo"), NO_FILE);
        let reader =
            rustix::fs::open(dir.join("fifo"), OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).expect("opens");
        assert_eq!(refused("fifo"), NO_FILE);
        drop(reader);
        assert!(LogWriter::open(Path::new("/dev/null"), 0).is_err());
        assert!(!dir.join("target").exists() && !dir.join("real/0.log").exists());
        let mut log = LogWriter::open(&dir.join("real/0.log"), 0).expect("opens");
        std::fs::remove_file(dir.join("real/0.log")).expect("removed");
        std::os::unix::fs::symlink("../target", dir.join("real/0.log")).expect("linked");
        assert!(log.reopen().is_err() && !dir.join("target").exists());
        std::fs::remove_dir_all(dir).expect("removed");
    }
}
