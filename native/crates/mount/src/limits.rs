/// What the kernel stacks, the lower layers alone (`OVL_MAX_STACK`).
pub const MAX_LAYERS: usize = 500;

/// The kernel's limit on the options of mount(2), less their terminating NUL.
pub const DATA_MAX: usize = 4095;

/// The kernel's limit on the value of one option that is set by fsconfig(2), its terminating NUL included.
pub const VALUE_MAX: usize = 256;
