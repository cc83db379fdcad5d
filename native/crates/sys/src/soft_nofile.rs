use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, getrlimit, setrlimit};

/// The soft limit that programs begin with; 0: ours.
static CHILDREN: AtomicU64 = AtomicU64::new(0);

/// Raises our soft limit of open files to the hard one. Programs that are spawned from here on begin with `children`, or with
/// what held for us: select(2) breaks above 1024, and some programs close every number up to their limit.
pub fn raise_soft_nofile(children: Option<u64>) {
    let mut limit = getrlimit(Resource::Nofile);
    CHILDREN.store(children.or(limit.current).unwrap_or(0), Ordering::Relaxed);
    limit.current = limit.maximum;
    // Refused only where another took the limit down meanwhile; then we go on with what we have.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// What a program is to begin with; 0: ours.
pub(crate) fn for_children() -> u64 {
    CHILDREN.load(Ordering::Relaxed)
}
