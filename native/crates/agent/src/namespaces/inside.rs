use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::AsFd;
use ttrpc::Status;

use crate::failure;
use crate::thread::apart;

/// Does something in a pinned network namespace.
pub fn in_network<T: Send>(path: &str, work: impl FnOnce() -> Result<T, Status> + Send) -> Result<T, Status> {
    failure::absolute("netns_path", path)?;
    let namespace =
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(failure::on("open", path))?;
    apart(|| {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(failure::on("enter the network namespace", path))?;
        work()
    })
}
