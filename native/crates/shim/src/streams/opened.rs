//! What `berth-shim streams` holds.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::settings::Settings;
use crate::log_writer::{LogWriter, Stream};
use crate::stdio;

/// What is opened before the fork, so that its failures are told to whoever starts us.
pub struct Opened {
    pub settings: Settings,
    pub listener: UnixListener,
    pub log: Option<LogWriter>,
    pub outputs: Vec<(Stream, File)>,
    pub stdin: Option<OwnedFd>,
    /// Locked for as long as anybody serves these streams.
    pub _lock: File,
}

impl Opened {
    /// None where somebody serves these streams already.
    ///
    /// # Errors
    /// Those of reading the settings and of opening the log, the FIFOs and the socket.
    pub fn open(bundle: &Path) -> io::Result<Option<Self>> {
        let (settings, lock) = Settings::read(bundle)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        let log = settings.log.as_ref().map(|log| LogWriter::open(&log.path, log.max_line_bytes)).transpose()?;
        let mut outputs = vec![(Stream::Stdout, stdio::fifo_output(&Settings::fifo(bundle, "stdout")?)?)];
        if !settings.terminal {
            outputs.push((Stream::Stderr, stdio::fifo_output(&Settings::fifo(bundle, "stderr")?)?));
        }
        let stdin = settings.has_stdin().then(|| stdio::fifo_input(&Settings::fifo(bundle, "stdin")?)).transpose()?;
        let _ = std::fs::remove_file(&settings.socket);
        let listener = UnixListener::bind(&settings.socket)?;
        listener.set_nonblocking(true)?;
        Ok(Some(Self { settings, listener, log, outputs, stdin, _lock: lock }))
    }
}
