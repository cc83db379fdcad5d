use std::ffi::CString;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::mount_change;

use crate::error::{MountError, at};
use crate::limits::DATA_MAX;
use crate::mount::Mount;
use crate::overlay::Overlay;
use crate::{bind, detach};

/// Mounts on an existing, absolute `target`, over whatever is there.
///
/// # Errors
/// Those of the kernel, with the step that failed, and what no kernel takes.
pub fn attach(mount: &Mount, target: &Path) -> Result<(), MountError> {
    if !target.is_absolute() {
        return Err(MountError::Unfit(format!("the target {} is not absolute", target.display())));
    }
    match mount.options.bind {
        Some(recursive) => bind::attach(&mount.source, recursive, mount.options.flags, target)?,
        None if mount.kind == "overlay" => Overlay::of(&mount.options).attach(target)?,
        None => attach_filesystem(mount, target)?,
    }
    let Some(propagation) = mount.options.propagation else { return Ok(()) };
    mount_change(target, propagation).map_err(at("change the propagation of", target.display())).inspect_err(|_| {
        // Half of what was asked for is worse than nothing: a mount that is to be private would be seen elsewhere.
        let _ = detach::once(target);
    })
}

fn attach_filesystem(mount: &Mount, target: &Path) -> Result<(), MountError> {
    let failed = |errno| at("mount on", target.display())(errno);
    let data = mount.options.data.join(",");
    if data.len() > DATA_MAX {
        return Err(MountError::OptionsTooLong { bytes: data.len() });
    }
    let data = CString::new(data).map_err(|_| failed(Errno::INVAL))?;
    let (source, kind) = (mount.source.as_str(), mount.kind.as_str());
    rustix::mount::mount(source, target, kind, mount.options.flags, data.as_c_str()).map_err(failed)
}
