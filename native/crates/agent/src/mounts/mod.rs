//! Mounts in mount(8) words.

mod detached;
mod mount;
mod options;
mod overlay;
mod unmount;

pub use detached::root_of;
pub use mount::mount;
pub use unmount::unmount;
