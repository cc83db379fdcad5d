use rustix::io::{Errno, Result};

/// Runs work on a thread of its own, which takes the namespaces that it enters with it into its grave. The inner result
/// is the work's.
///
/// # Errors
/// That of starting a thread, and `EIO` for work that panicked.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("apart".into()).spawn_scoped(scope, work);
        let worker = worker.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))?;
        worker.join().map_err(|_| Errno::IO)
    })
}
