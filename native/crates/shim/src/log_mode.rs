//! `berth-shim log PATH`: the CRI log of a container that another shim keeps, as containerd's `binary://` logger.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use sys::SignalFd;
use ttrpc::{Call, Code, Status, decode_call, encode_reply};

use crate::connection::Connection;
use crate::log_writer::{LogWriter, Stream};
use crate::proto::berth;
use crate::pump::{Progress, Pump, Sink};
use crate::reactor::{EventFlags, Reactor, Token};
use crate::shim::FULL_PAUSE;
use crate::{socket, stdio};

const STDOUT: i32 = 3;
const STDERR: i32 = 4;
const READY: i32 = 5;
const BUFFER_BYTES: usize = 64 << 10;
/// Reads of one output before the other, the calls and the signals get their turn.
const STEPS_AT_ONCE: usize = 16;
/// Reads that empty a pipe of the largest size there is by default, one MiB.
const LAST_STEPS: usize = 17;

/// The logger's loop: two outputs and the socket for ReopenLog.
struct Logger {
    log: LogWriter,
    reactor: Reactor,
    signals: SignalFd,
    signal_token: Token,
    pumps: Vec<(Token, Pump)>,
    /// Outputs that a slow client holds back.
    full: Vec<Token>,
    listener: UnixListener,
    listener_token: Token,
    connections: Vec<(Token, Connection)>,
    buffer: Vec<u8>,
}

/// Copies both outputs until they end, or what is there when SIGTERM comes. Reopens the log when asked on `<log>.sock`'s short path.
///
/// # Errors
/// Those of opening the log and its socket.
pub fn run(words: &[String]) -> io::Result<()> {
    let path = words.iter().find(|word| word.starts_with('/')).map(PathBuf::from);
    let path = path.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "log needs the path of the log file"))?;
    let socket_path = control_path(&path);
    let _ = std::fs::remove_file(&socket_path);
    let mut logger = Logger::open(&path, &socket_path)?;
    // The other shim waits for this end of file before it starts the container.
    drop(sys::take_inherited_fd(READY)?);
    let result = logger.serve();
    let _ = std::fs::remove_file(&socket_path);
    result
}

/// Where the logger of this log file listens for ReopenLog.
fn control_path(log: &Path) -> PathBuf {
    let dir = log.parent().unwrap_or_else(|| Path::new("/"));
    let name = log.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    socket::short_path(dir, &format!(".{name}.sock"))
}

impl Logger {
    fn open(path: &Path, socket_path: &Path) -> io::Result<Self> {
        let log = LogWriter::open(path, 0)?;
        let mut reactor = Reactor::new()?;
        let signals = SignalFd::new(&[Signal::TERM, Signal::INT, Signal::HUP].map(Signal::as_raw))?;
        let signal_token = reactor.add(&signals, EventFlags::IN)?;
        let listener = UnixListener::bind(socket_path)?;
        listener.set_nonblocking(true)?;
        let listener_token = reactor.add(&listener, EventFlags::IN)?;
        let mut pumps = Vec::new();
        for (number, stream) in [(STDOUT, Stream::Stdout), (STDERR, Stream::Stderr)] {
            let source = OwnedFd::from(File::from(sys::take_inherited_fd(number)?));
            rustix::fs::fcntl_setfl(source.as_fd(), rustix::fs::OFlags::NONBLOCK)?;
            let token = reactor.add(&source, EventFlags::IN)?;
            pumps.push((token, Pump::new(source, Sink::Log(stream))));
        }
        let buffer = vec![0; BUFFER_BYTES];
        let connections = Vec::new();
        let full = Vec::new();
        Ok(Self { log, reactor, signals, signal_token, pumps, full, listener, listener_token, connections, buffer })
    }

    fn serve(&mut self) -> io::Result<()> {
        while !self.pumps.is_empty() {
            let pause = (!self.full.is_empty()).then_some(FULL_PAUSE);
            for (token, _) in self.reactor.wait(pause)? {
                if token == self.signal_token {
                    if self.signals.take() == Some(Signal::TERM.as_raw()) {
                        self.finish();
                        return Ok(());
                    }
                } else if token == self.listener_token {
                    self.accept();
                } else if self.pumps.iter().any(|(own, _)| *own == token) {
                    self.move_output(token);
                } else {
                    self.answer(token);
                }
            }
            self.resume_full();
        }
        Ok(())
    }

    fn resume_full(&mut self) {
        for token in std::mem::take(&mut self.full) {
            if let Some((_, pump)) = self.pumps.iter().find(|(own, _)| *own == token) {
                let _ = self.reactor.resume(&pump.source, token, EventFlags::IN);
            }
            self.move_output(token);
        }
    }

    /// The container is gone, though a straggler may still write: takes what is there and closes the last lines.
    fn finish(&mut self) {
        for (_, pump) in &mut self.pumps {
            pump.hurry();
            for _ in 0..LAST_STEPS {
                if pump.step(&mut self.buffer, Some(&mut self.log)) != Progress::Moved {
                    break;
                }
            }
            pump.abandon(Some(&mut self.log));
        }
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            let Ok(connection) = Connection::new(stream) else { continue };
            if let Ok(token) = self.reactor.add(&connection.stream, EventFlags::IN) {
                self.connections.push((token, connection));
            }
        }
    }

    fn move_output(&mut self, token: Token) {
        let Some(index) = self.pumps.iter().position(|(own, _)| *own == token) else { return };
        for _ in 0..STEPS_AT_ONCE {
            match self.pumps[index].1.step(&mut self.buffer, Some(&mut self.log)) {
                Progress::Moved => {}
                Progress::Idle => return,
                Progress::Full => {
                    self.reactor.remove(&self.pumps[index].1.source);
                    self.full.push(token);
                    return;
                }
                Progress::Ended => {
                    let (_, pump) = self.pumps.swap_remove(index);
                    self.reactor.remove(&pump.source);
                    return;
                }
            }
        }
    }

    fn answer(&mut self, token: Token) {
        let Some(index) = self.connections.iter().position(|(own, _)| *own == token) else { return };
        let (frames, open) = self.connections[index].1.receive(&mut self.buffer);
        for frame in frames {
            let result = match decode_call(&frame) {
                Some(Ok(call)) => self.call(&call),
                Some(Err(status)) => Err(status),
                None => continue,
            };
            self.connections[index].1.send(&encode_reply(frame.stream_id, result));
        }
        if !open {
            let (_, connection) = self.connections.swap_remove(index);
            self.reactor.remove(&connection.stream);
        }
    }

    fn call(&mut self, call: &Call) -> Result<Vec<u8>, Status> {
        match call.method.as_str() {
            "ReopenLog" => self.log.reopen().map_err(|error| Status::new(Code::Internal, error.to_string()))?,
            "Attach" => self.attach(&call.decode()?)?,
            _ => return Err(Status::unimplemented(&call.service, &call.method)),
        }
        Ok(Vec::new())
    }

    /// The outputs pass through here, the input does not.
    fn attach(&mut self, request: &berth::AttachRequest) -> Result<(), Status> {
        if !request.stdin.is_empty() {
            return Err(Status::new(Code::FailedPrecondition, "another shim keeps the container's stdin"));
        }
        for (stream, path) in [(Stream::Stdout, &request.stdout), (Stream::Stderr, &request.stderr)] {
            let file = if path.is_empty() { None } else { Some(stdio::attached_output(path)?) };
            let pump = self.pumps.iter_mut().find(|(_, pump)| pump.stream() == Some(stream));
            if let (Some(file), Some((_, pump))) = (file, pump) {
                pump.tap(file);
            }
        }
        Ok(())
    }
}
