//! A pod's namespaces: made by a thread or process that goes away, kept alive by bind mounts.

mod create;
mod inside;
mod keeper;
mod kinds;
mod pause;
mod pins;
mod release;
mod setup;
mod stats;
mod talk;

pub use create::create;
pub use keeper::{keep, user_namespace};
pub use release::release;
pub use setup::write_later as write_sysctls;
pub use stats::network_stats;
