//! Mounts as the contract asks for them.

use std::os::fd::OwnedFd;
use std::path::Path;

use mount::MountError;
use rustix::io::Errno;
use ttrpc::{Code, Status};

use crate::failure;
use crate::proto::{Empty, FilesystemMount, MountRequest, UnmountRequest};

/// Mounts what the request describes on its target.
pub fn mount(request: MountRequest) -> Result<Empty, Status> {
    let MountRequest { mount, target } = request;
    let mount = mount.ok_or_else(|| failure::invalid("mount is missing"))?;
    failure::absolute("target", &target)?;
    if !Path::new(&target).exists() {
        return Err(failure::errno("mount on", &target, Errno::NOENT));
    }
    let what = format!("mount {} from {} on {target}", mount.r#type, mount.source);
    mount::attach(&described(&mount), Path::new(&target)).map_err(|error| status(&what, &error))?;
    Ok(Empty {})
}

/// Detaches everything mounted at the target, also what is stacked there, and everything below it.
pub fn unmount(request: &UnmountRequest) -> Result<Empty, Status> {
    let target = &request.target;
    failure::absolute("target", target)?;
    if target.trim_matches('/').is_empty() {
        return Err(failure::invalid("the root is not unmounted"));
    }
    mount::detach_tree(Path::new(target)).map_err(|error| status(&format!("unmount {target}"), &error))?;
    Ok(Empty {})
}

/// The root directory of a snapshot, see [`mount::open_read_only`].
pub fn root_of(mounts: &[FilesystemMount]) -> Result<OwnedFd, Status> {
    let [mount] = mounts else {
        return Err(failure::invalid(format!("a snapshot's root is one mount, not {}", mounts.len())));
    };
    mount::open_read_only(&described(mount)).map_err(|error| status("look into a snapshot", &error))
}

fn described(mount: &FilesystemMount) -> mount::Mount {
    mount::Mount::new(&mount.r#type, &mount.source, &mount.options)
}

fn status(what: &str, error: &MountError) -> Status {
    match error {
        MountError::Kernel { step, errno } => failure::errno(&format!("{what}:"), step, *errno),
        MountError::Unfit(_) => failure::invalid(format!("{what}: {error}")),
        _ => Status::new(Code::FailedPrecondition, format!("{what}: {error}")),
    }
}
