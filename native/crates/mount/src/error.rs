use rustix::io::Errno;

/// Why a mount was not made. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// What the kernel answered to a step.
    #[error("{step}: {errno}")]
    Kernel {
        /// The step and its object.
        step: String,
        errno: Errno,
    },
    #[error("overlayfs stacks at most {max} layers, and these are {count}", max = crate::limits::MAX_LAYERS)]
    TooManyLayers { count: usize },
    #[error("the options are {bytes} bytes long, and this kernel takes at most {max}", max = crate::limits::DATA_MAX)]
    OptionsTooLong { bytes: usize },
    #[error("translating the owners of layers needs Linux 6.13")]
    NoMappedLayers,
    #[error("{0}")]
    Unfit(String),
}

impl MountError {
    /// The kernel's answer, where it is one.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Kernel { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}

/// For `map_err`: the step and what it was done to.
pub(crate) fn at<'a>(step: &'a str, object: impl std::fmt::Display + 'a) -> impl FnOnce(Errno) -> MountError + 'a {
    move |errno| MountError::Kernel { step: format!("{step} {object}"), errno }
}
