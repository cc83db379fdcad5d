//! Where a process's standard streams go.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use ttrpc::{Code, Status};

use crate::backlog::Backlog;
use crate::log_writer::Stream;
use crate::pump::Pump;
use crate::runtime::Inherited;
use crate::sink::Sink;

/// What a request asks for: FIFO paths, `file://PATH[?limit=N]` or nothing, for each stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StdioPaths {
    pub terminal: bool,
    pub stdin: String,
    pub stdout: String,
    pub stderr: String,
}

/// One end of an output, parsed.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Null,
    Fifo(PathBuf),
    File { path: PathBuf, limit: u64 },
}

/// What becomes of a process that writes to a FIFO whose readers have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It waits for them: they are coming back, as containerd does.
    Waits,
    /// It is told so: they are gone for good.
    Fails,
}

/// The streams for the process and what the shim keeps of them.
#[derive(Debug, Default)]
pub struct Opened {
    pub inherited: Inherited,
    pub pumps: Vec<Pump>,
    /// Keeps stdin open until CloseIO.
    pub stdin_keep: Option<OwnedFd>,
}

fn parse(text: &str) -> Result<Target, Status> {
    if text.is_empty() {
        return Ok(Target::Null);
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok(Target::Fifo(text.into()));
    };
    match scheme {
        "fifo" => Ok(Target::Fifo(rest.into())),
        "file" => {
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            let limit = query.split('&').find_map(|pair| pair.strip_prefix("limit=")).map(str::parse);
            match limit.unwrap_or(Ok(u64::MAX)) {
                Ok(limit) => Ok(Target::File { path: path.into(), limit }),
                Err(_) => Err(Status::new(Code::InvalidArgument, format!("{text}: limit is a number of bytes"))),
            }
        }
        other => Err(Status::new(
            Code::InvalidArgument,
            format!("output to {other}:// is not known; a FIFO path or a file:// URI is"),
        )),
    }
}

/// Opens what the paths name. FIFOs go to the process as they are, so that nothing is copied on the way.
///
/// # Errors
/// [`Code::InvalidArgument`] for an unknown scheme, [`Code::Internal`] with the path that cannot be opened.
pub fn open(paths: &StdioPaths, unread: Unread) -> Result<Opened, Status> {
    let mut opened = Opened::default();
    if !paths.terminal {
        opened.inherited.stdout = output(&paths.stdout, unread, &mut opened.pumps)?;
        opened.inherited.stderr = output(&paths.stderr, unread, &mut opened.pumps)?;
    }
    if !paths.terminal && !paths.stdin.is_empty() {
        let path = &paths.stdin;
        let stdin = || -> io::Result<(OwnedFd, OwnedFd)> {
            // The reading end first and without waiting; our own writing end keeps the process from seeing an end
            // before the client has come.
            let read = OpenOptions::new().read(true).custom_flags(nonblock()).open(path)?;
            let keep = OpenOptions::new().write(true).custom_flags(nonblock()).open(path)?;
            rustix::fs::fcntl_setfl(&read, OFlags::empty())?;
            Ok((read.into(), keep.into()))
        };
        let (read, keep) = stdin().map_err(|error| failed(path, &error))?;
        opened.inherited.stdin = Some(read);
        opened.stdin_keep = Some(keep);
    }
    Ok(opened)
}

fn output(text: &str, unread: Unread, pumps: &mut Vec<Pump>) -> Result<Option<OwnedFd>, Status> {
    let result = match parse(text)? {
        Target::Null => Ok(None),
        Target::Fifo(path) => output_fifo(&path, unread).map(Some),
        Target::File { path, limit } => capped_file(&path, limit, pumps).map(Some),
    };
    result.map_err(|error| failed(text, &error))
}

fn output_fifo(path: &PathBuf, unread: Unread) -> io::Result<OwnedFd> {
    // Read and write, so that opening does not wait for the client. Whoever holds this is a reader, too.
    let both = OpenOptions::new().read(true).write(true).open(path)?;
    match unread {
        Unread::Waits => Ok(both.into()),
        Unread::Fails => OpenOptions::new().write(true).open(path).map(OwnedFd::from),
    }
}

fn capped_file(path: &PathBuf, limit: u64, pumps: &mut Vec<Pump>) -> io::Result<OwnedFd> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let (read, write) = output_pipe()?;
    pumps.push(Pump::new(read, Sink::File { file, remaining: limit }));
    Ok(write)
}

/// The sink that a terminal's output goes to.
///
/// # Errors
/// As [`open`].
pub fn terminal_sink(paths: &StdioPaths) -> Result<Sink, Status> {
    let sink = match parse(&paths.stdout)? {
        Target::Null => Ok(Sink::Discard(Stream::Stdout)),
        Target::Fifo(path) => fifo_sink(&path),
        Target::File { path, limit } => OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map(|file| Sink::File { file, remaining: limit }),
    };
    sink.map_err(|error| failed(&paths.stdout, &error))
}

fn fifo_sink(path: &PathBuf) -> io::Result<Sink> {
    let file = OpenOptions::new().read(true).write(true).custom_flags(nonblock()).open(path)?;
    Ok(Sink::Fifo(Backlog::new(file)))
}

/// The client's keystrokes on their way to a terminal.
///
/// # Errors
/// As [`open`].
pub fn terminal_input(paths: &StdioPaths) -> Result<Option<File>, Status> {
    if paths.stdin.is_empty() {
        return Ok(None);
    }
    let open = OpenOptions::new().read(true).write(true).custom_flags(nonblock()).open(&paths.stdin);
    open.map(Some).map_err(|error| failed(&paths.stdin, &error))
}

/// Pipes for both streams of a container, into the CRI log or, without one, to whoever attaches.
///
/// # Errors
/// [`Code::Internal`] when the process has no descriptors left.
pub fn open_container(has_log: bool) -> Result<Opened, Status> {
    let mut opened = Opened::default();
    for stream in [Stream::Stdout, Stream::Stderr] {
        let (read, write) = output_pipe().map_err(|error| failed("pipe", &error))?;
        opened.pumps.push(Pump::new(read, if has_log { Sink::Log(stream) } else { Sink::Discard(stream) }));
        match stream {
            Stream::Stdout => opened.inherited.stdout = Some(write),
            Stream::Stderr => opened.inherited.stderr = Some(write),
        }
    }
    Ok(opened)
}

/// A pipe whose reading end, ours, never blocks.
fn output_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(read.as_fd(), OFlags::NONBLOCK)?;
    Ok((read, write))
}

/// A stdin that is held open, for a container that asked for one; clients that attach write to it.
///
/// # Errors
/// That of pipe(2).
pub fn held_stdin() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(write.as_fd(), OFlags::NONBLOCK)?;
    Ok((read, write))
}

/// An attached client's end of an output: large, so that a quick reader is seldom waited for.
///
/// # Errors
/// [`Code::Internal`] with the path, also when the client does not have its end open.
pub fn attached_output(path: &str) -> Result<File, Status> {
    let open = OpenOptions::new().write(true).custom_flags(nonblock()).open(path);
    let file = open.map_err(|error| failed(path, &error))?;
    // As it is will do.
    let _ = rustix::pipe::fcntl_setpipe_size(&file, ATTACHED_PIPE);
    Ok(file)
}

/// An attached client's end of the input.
///
/// # Errors
/// [`Code::Internal`] with the path.
pub fn attached_input(path: &str) -> Result<File, Status> {
    let open = OpenOptions::new().read(true).custom_flags(nonblock()).open(path);
    open.map_err(|error| failed(path, &error))
}

/// Our end of a FIFO that another shim writes to, who need not have come yet.
///
/// # Errors
/// That of open(2).
pub fn fifo_output(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(nonblock()).open(path)
}

/// Our end of a FIFO that another shim reads from, who need not have come yet.
///
/// # Errors
/// That of open(2).
pub fn fifo_input(path: &Path) -> io::Result<OwnedFd> {
    // A writer alone is refused as long as nobody reads.
    let _both = OpenOptions::new().read(true).write(true).custom_flags(nonblock()).open(path)?;
    OpenOptions::new().write(true).custom_flags(nonblock()).open(path).map(OwnedFd::from)
}

/// What the kernel gives without privileges.
const ATTACHED_PIPE: usize = 1 << 20;

fn nonblock() -> i32 {
    // The kernel's flag words are positive ints.
    i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0)
}

fn failed(path: &str, error: &io::Error) -> Status {
    Status::new(Code::Internal, format!("open {path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_fifos_files_or_nothing() {
        assert_eq!(parse(""), Ok(Target::Null));
        assert_eq!(parse("/run/f"), Ok(Target::Fifo("/run/f".into())));
        assert_eq!(parse("file:///o"), Ok(Target::File { path: "/o".into(), limit: u64::MAX }));
        assert_eq!(parse("file:///o?limit=12"), Ok(Target::File { path: "/o".into(), limit: 12 }));
        assert!(parse("file:///o?limit=x").is_err());
        assert!(parse("binary:///o").is_err());
    }
}
