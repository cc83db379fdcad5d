//! Real-time signals, which have numbers but no names of their own.

use rustix::process::Signal;

/// A real-time signal by its number; `None` for a number that is none.
#[must_use]
pub fn realtime_signal(number: i32) -> Option<Signal> {
    // 32 and 33 belong to the C library's threads, but a container's processes may use another library.
    if !(32..=64).contains(&number) {
        return None;
    }
    // SAFETY: the number is in the kernel's range of real-time signals; the value is only handed to kill(2).
    Some(unsafe { Signal::from_raw_unchecked(number) })
}
