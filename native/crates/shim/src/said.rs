//! What an OCI runtime says of a failure. It is others' text, of any length: it is cut and cleaned before anybody sees it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

/// As much as a sheet takes; a runtime that writes on is told that it is full.
const SHEET_BYTES: u64 = 1 << 20;
/// The end of a log, where the last error is.
const TAIL_BYTES: u64 = 64 << 10;
/// Characters shown of the beginning and of the end of a text that is too long.
const HEAD_SHOWN: usize = 1400;
const TAIL_SHOWN: usize = 600;

/// A stderr in memory. It never blocks its writer, nobody has to read it meanwhile, and it does not grow without end.
#[derive(Debug)]
pub struct Sheet(File);

impl Sheet {
    /// # Errors
    /// That of memfd_create(2).
    pub fn new() -> io::Result<Self> {
        let memory = memfd_create(c"stderr", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&memory, SHEET_BYTES)?;
        fcntl_add_seals(&memory, SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        Ok(Self(memory.into()))
    }

    /// What was written so far: the writers and we share one position.
    #[must_use]
    pub fn read(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut file = &self.0;
        if let Ok(written) = file.stream_position()
            && file.rewind().is_ok()
        {
            let _ = file.take(written).read_to_end(&mut text);
        }
        text
    }
}

impl AsFd for Sheet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A text as others may see it: one line without control characters, of some 2000 characters at most.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.split(|letter: char| letter.is_whitespace() || turns(letter)).collect();
    let clean: Vec<char> =
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").chars().collect();
    if clean.len() <= HEAD_SHOWN + TAIL_SHOWN {
        return clean.into_iter().collect();
    }
    let (head, tail) = (&clean[..HEAD_SHOWN], &clean[clean.len() - TAIL_SHOWN..]);
    format!("{} … {}", head.iter().collect::<String>(), tail.iter().collect::<String>())
}

/// What moves a terminal's cursor, or the direction in which it writes.
fn turns(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The `msg` of the last entry of level error, else the last line; runtimes write one JSON object a line.
#[must_use]
pub fn last_error(log: &Path) -> Option<String> {
    let bytes = tail(log).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let message = |line: &str| -> Option<String> {
        let entry: serde_json::Value = serde_json::from_str(line).ok()?;
        (entry.get("level")?.as_str()? == "error").then_some(())?;
        // crun has nothing to say about a hook that failed, and says so.
        Some(entry.get("msg")?.as_str()?.to_owned()).filter(|said| !said.is_empty())
    };
    let last = text.lines().rev().find_map(message).or_else(|| text.lines().last().map(str::to_owned));
    last.map(|said| shown(said.as_bytes())).filter(|said| !said.is_empty())
}

fn tail(log: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_sheet_takes_so_much_and_no_more() {
        let sheet = Sheet::new().expect("made");
        let mut writer = sheet.0.try_clone().expect("cloned");
        writer.write_all(b"panic: ").expect("written");
        assert_eq!(sheet.read(), b"panic: ");
        let full = (0..3).map(|_| writer.write_all(&[b'x'; 1 << 19])).find_map(Result::err).expect("is full");
        assert_eq!(full.raw_os_error(), Some(rustix::io::Errno::PERM.raw_os_error()));
        assert!(sheet.read().len() as u64 <= SHEET_BYTES);
    }

    #[test]
    fn a_text_is_cut_and_cleaned() {
        assert_eq!(
            shown(b"\x1b[31mred\x1b[0m\r\n two\tthree\x00\xff\xc2\x9b2J \n"),
            "[31mred [0m two three \u{fffd} 2J"
        );
        assert_eq!(shown("a\u{202e}b".as_bytes()), "a b");
        let long = shown(&b"word ".repeat(1 << 20));
        assert!(long.starts_with("word word") && long.ends_with("word word") && long.contains(" … "));
        assert_eq!(long.chars().count(), HEAD_SHOWN + TAIL_SHOWN + 3);
        assert_eq!(shown(b" \n"), "");
    }

    #[test]
    fn the_last_error_of_a_log_is_its_message_or_its_last_line() {
        let log = std::env::temp_dir().join(format!("berth-said-{}", std::process::id()));
        let of = |text: &[u8]| {
            std::fs::write(&log, text).expect("written");
            last_error(&log)
        };
        let entries = b"{\"level\":\"error\",\"msg\":\"first\"}\n{\"level\":\"error\",\"msg\":\"no\\u001b[2J such\"}\n{\"level\":\"info\",\"msg\":\"x\"}\n";
        assert_eq!(of(entries), Some("no [2J such".to_owned()));
        assert_eq!(of(b"{\"level\":\"error\",\"msg\":\nnot JSON"), Some("not JSON".to_owned()));
        assert_eq!(of(b""), None);
        let huge = [&b"x".repeat(1 << 20)[..], b"\n{\"level\":\"error\",\"msg\":\"the end\"}\n"].concat();
        assert_eq!(of(&huge), Some("the end".to_owned()));
        assert!(of(&b"y".repeat(1 << 20)).is_some_and(|said| said.chars().count() < 2100));
        std::fs::remove_file(&log).expect("removed");
        assert_eq!(last_error(&log), None);
    }
}
