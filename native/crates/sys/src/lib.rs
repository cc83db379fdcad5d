//! System calls that no safe crate wraps, each behind a function that cannot be misused. The only crate with `unsafe`.

mod apart;
mod fork;
mod inherited_fd;
mod interface;
mod mount_attr;
mod namespaces;
mod realtime;
mod signal_fd;
mod soft_nofile;
mod spawn;

pub use apart::apart;
pub use fork::{Forked, fork_single_threaded};
pub use inherited_fd::take_inherited_fd;
pub use interface::bring_up;
pub use mount_attr::{add_mount_attributes, map_ids, open_unchangeable};
pub use namespaces::unshare;
pub use realtime::realtime_signal;
pub use signal_fd::SignalFd;
pub use soft_nofile::raise_soft_nofile;
pub use spawn::{Child, Spawn, spawn};
