//! The real berth-shim with the real crun and kernel: driven over ttrpc as berthd and containerd do. Needs root.

mod bundle;
mod cgroups;
mod endings;
mod execs;
mod failures;
mod fixture;
mod hangs;
mod info;
mod lifecycle;
mod observed;
mod output;
mod rootfs;
mod streams;

/// The contracts, generated as for the shim itself.
mod proto {
    #![allow(clippy::all, dead_code)]
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
}
