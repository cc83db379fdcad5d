use rustix::fs::{major, minor, stat, statvfs};
use ttrpc::Status;

use super::device;
use crate::failure;
use crate::proto::{StatFilesystemRequest, StatFilesystemResponse};

/// The size of the filesystem that a path is on.
pub fn filesystem(request: &StatFilesystemRequest) -> Result<StatFilesystemResponse, Status> {
    let path = request.path.as_str();
    failure::absolute("path", path)?;
    let device = stat(path).map_err(failure::on("stat", path))?.st_dev;
    let size = statvfs(path).map_err(failure::on("statvfs", path))?;
    Ok(StatFilesystemResponse {
        device: device::name(u64::from(major(device)), u64::from(minor(device))),
        bytes: size.f_blocks * size.f_frsize,
        inodes: size.f_files,
        inodes_free: size.f_ffree,
    })
}
