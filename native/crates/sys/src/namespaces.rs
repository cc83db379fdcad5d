use rustix::io::{Errno, Result};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Puts the calling thread into new namespaces, or parts it from the others' root and working directory (`FS`). A user namespace needs a process of one thread.
///
/// # Errors
/// `EINVAL` for flags that are no namespaces; otherwise those of unshare(2).
pub fn unshare(namespaces: UnshareFlags) -> Result<()> {
    const ALLOWED: UnshareFlags = UnshareFlags::NEWNET
        .union(UnshareFlags::NEWIPC)
        .union(UnshareFlags::NEWUTS)
        .union(UnshareFlags::NEWUSER)
        .union(UnshareFlags::FS)
        // Implies an own root and working directory for the thread.
        .union(UnshareFlags::NEWNS);
    if !ALLOWED.contains(namespaces) {
        return Err(Errno::INVAL);
    }
    // SAFETY: unshare is unsafe for the sake of descriptor tables (CLONE_FILES), which is not among the allowed flags.
    unsafe { unshare_unsafe(namespaces) }
}
