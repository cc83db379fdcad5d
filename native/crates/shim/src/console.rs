//! The socket through which the runtime hands over a terminal.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// A listening console socket; its file goes with it.
#[derive(Debug)]
pub struct Console {
    listener: UnixListener,
    pub path: PathBuf,
}

impl Console {
    /// # Errors
    /// That of bind(2).
    pub fn open(path: &Path) -> io::Result<Self> {
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// The terminal that the runtime, which has ended, left in the queue.
    ///
    /// # Errors
    /// `WouldBlock` when it left none.
    pub fn receive(&self) -> io::Result<OwnedFd> {
        let (stream, _) = self.listener.accept()?;
        let mut name = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        recvmsg(&stream, &mut [IoSliceMut::new(&mut name)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let descriptors = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        });
        descriptors.flatten().next().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no terminal was sent"))
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // Somebody may have removed the bundle already.
        let _ = std::fs::remove_file(&self.path);
    }
}
