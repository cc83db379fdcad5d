//! What agent and keeper say to each other, a line each.

use std::fmt::{self, Display, Formatter};
use std::io::{self, Read, Write};
use std::str::FromStr;

/// What the keeper says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It is in its new user namespace, without ids.
    Unshared,
    /// All is set up, with a pause process of this pid, or 0 for none.
    SetUp {
        pause: i32,
    },
    Failed(String),
}

/// What the keeper is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It has ids now.
    Mapped,
    /// Its namespaces live on without it.
    Pinned,
}

impl Display for Said {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unshared => out.write_str("unshared"),
            Self::SetUp { pause } => write!(out, "ok {pause}"),
            Self::Failed(why) => write!(out, "error {}", why.replace('\n', " ")),
        }
    }
}

impl FromStr for Said {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        match line.split_once(' ') {
            None if line == "unshared" => Ok(Self::Unshared),
            Some(("ok", pid)) => pid.parse().map(|pause| Self::SetUp { pause }).map_err(|_| line.to_owned()),
            Some(("error", why)) => Ok(Self::Failed(why.to_owned())),
            _ => Err(line.to_owned()),
        }
    }
}

impl Display for Told {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Mapped => "mapped",
            Self::Pinned => "pinned",
        })
    }
}

impl FromStr for Told {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        [Self::Mapped, Self::Pinned].into_iter().find(|told| told.to_string() == line).ok_or_else(|| line.to_owned())
    }
}

/// Says something.
///
/// # Errors
/// That of write(2).
pub fn say(output: &mut impl Write, what: &impl Display) -> io::Result<()> {
    output.write_all(format!("{what}\n").as_bytes())?;
    output.flush()
}

/// Waits for the other's next line, and reads no byte behind it.
///
/// # Errors
/// That of read(2); `UnexpectedEof` when the other has gone, `InvalidData` with a line that is neither's.
pub fn hear<T: FromStr<Err = String>>(input: &mut impl Read) -> io::Result<T> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    loop {
        input.read_exact(&mut byte)?;
        if byte == *b"\n" {
            let line = String::from_utf8_lossy(&line);
            return line.parse().map_err(|line| io::Error::new(io::ErrorKind::InvalidData, line));
        }
        line.push(byte[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_heard_as_it_was_said() {
        let mut wire = Vec::new();
        let said = [Said::Unshared, Said::SetUp { pause: 7 }, Said::Failed("no\nway".into())];
        said.iter().for_each(|said| say(&mut wire, said).expect("said"));
        let mut wire = wire.as_slice();
        let heard: Vec<Said> = std::iter::from_fn(|| hear(&mut wire).ok()).collect();
        assert_eq!(heard, [Said::Unshared, Said::SetUp { pause: 7 }, Said::Failed("no way".into())]);
        for told in [Told::Mapped, Told::Pinned] {
            assert_eq!(hear::<Told>(&mut format!("{told}\n").as_bytes()).expect("heard"), told);
        }
        let kind = |line: &str| hear::<Told>(&mut line.as_bytes()).expect_err("no word").kind();
        assert_eq!((kind("what\n"), kind("pinn")), (io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof));
    }
}
