//! Giving up everything that pid 1 of a pod does not need. Containers with `CAP_SYS_PTRACE` see its root directory as
//! `/proc/1/root` and can make it run their code, and others must not even do that.

use std::io;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use rustix::process::{DumpableBehavior, chdir, pivot_root, set_dumpable_behavior};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags, set_capabilities, set_no_new_privs};

/// Any directory that is there before and may be covered.
const PLACE: &str = "/proc";

/// Leaves the host's files for an empty root, all capabilities, and the reach of containers that may not trace.
///
/// # Errors
/// What the system refused, by name.
pub fn withdraw() -> io::Result<()> {
    let doing = |what: &'static str| move |errno: rustix::io::Errno| io::Error::other(format!("{what}: {errno}"));
    sys::unshare(UnshareFlags::NEWNS).map_err(doing("make a mount namespace"))?;
    leave_files().map_err(doing("leave the host's files"))?;
    set_no_new_privs(true).map_err(doing("renounce privileges"))?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, sets).map_err(doing("drop capabilities"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(doing("forbid tracing"))
}

/// A new root by chroot(2) would not do: `/proc/1/root/..` leads out of that.
fn leave_files() -> rustix::io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("none", PLACE, "tmpfs", flags, None)?;
    chdir(PLACE)?;
    pivot_root(".", ".")?;
    // The old root now lies over the new one.
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")
}
