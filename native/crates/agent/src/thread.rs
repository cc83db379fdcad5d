use ttrpc::{Code, Status};

/// Runs work on a thread of its own, which takes the namespaces it enters with it into its grave.
pub fn apart<T: Send>(work: impl FnOnce() -> Result<T, Status> + Send) -> Result<T, Status> {
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("apart".into()).spawn_scoped(scope, work);
        let worker = worker.map_err(crate::failure::io("start", "a thread"))?;
        worker.join().unwrap_or_else(|_| Err(Status::new(Code::Internal, "a worker thread panicked")))
    })
}
