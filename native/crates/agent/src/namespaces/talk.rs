//! What agent and keeper say to each other, a line each.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What the keeper says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// It has ids now.
    Mapped,
    /// Its namespaces live on without it.
    Pinned,
}

/// Says something.
///
/// # Errors
/// That of write(2).
pub fn say(output: &mut impl Write, what: &impl Serialize) -> io::Result<()> {
    output.write_all(&[serde_json::to_vec(what)?.as_slice(), b"\n"].concat())?;
    output.flush()
}

/// Waits for the other's next line, and reads no byte behind it.
///
/// # Errors
/// That of read(2); `UnexpectedEof` when the other has gone, `InvalidData` for a line that it does not say.
pub fn hear<T: DeserializeOwned>(input: &mut impl Read) -> io::Result<T> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while byte != *b"\n" {
        input.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    Ok(serde_json::from_slice(&line)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_heard_as_it_was_said() {
        let mut wire = Vec::new();
        let said = [Said::Unshared, Said::SetUp { pause: 7 }, Said::Failed("no\nway".into())];
        said.iter().for_each(|said| say(&mut wire, said).expect("said"));
        say(&mut wire, &Told::Pinned).expect("said");
        let mut wire = wire.as_slice();
        assert_eq!(said.clone().map(|_| hear::<Said>(&mut wire).expect("heard")), said);
        assert_eq!(hear::<Told>(&mut wire).expect("heard"), Told::Pinned);
        let kind = |line: &str| hear::<Told>(&mut line.as_bytes()).expect_err("no word").kind();
        assert_eq!((kind("\"What\"\n"), kind("\"Pinn")), (io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof));
    }
}
