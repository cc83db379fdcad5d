use ttrpc::Status;

/// Runs work on a thread of its own, see [`sys::apart`].
pub fn apart<T: Send>(work: impl FnOnce() -> Result<T, Status> + Send) -> Result<T, Status> {
    sys::apart(work).map_err(crate::failure::on("run", "work on a thread of its own"))?
}
