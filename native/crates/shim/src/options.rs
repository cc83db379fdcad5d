//! How to run the OCI runtime and where the output goes: berth's own options or containerd's.

use std::path::PathBuf;

use prost::Message;
use ttrpc::{Code, Status};

use crate::proto::{berth, runc};
use crate::runtime::Cli;

/// CreateTaskRequest.options, whichever of the two kinds they are.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub runtime: Cli,
    /// The CRI log that the shim writes itself, with its line limit.
    pub log: Option<(PathBuf, usize)>,
    /// The main process gets a pipe as stdin that stays open.
    pub stdin: bool,
    /// The pipe closes when the first client that is attached to it leaves.
    pub stdin_once: bool,
    /// Where the exit record goes; empty: into the bundle.
    pub exit_file: PathBuf,
    /// Start runs the runtime's `run`; Create only prepares.
    pub run_on_start: bool,
}

/// Where a runtime keeps the containers of clients that name no place.
const DEFAULT_ROOT: &str = "/run/berth-shims/runtime";

impl Options {
    /// Reads the options of a Create request; none at all means the defaults. containerd's namespaces may hold containers
    /// of equal ids, so each gets a directory of its own below the runtime's root.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for a type that is neither of the two.
    pub fn decode(any: Option<&prost_types::Any>, namespace: &str) -> Result<Self, Status> {
        let Some(any) = any.filter(|any| !any.type_url.is_empty()) else {
            return Ok(Self::from_runc(runc::Options::default(), namespace));
        };
        let name = any.type_url.rsplit('/').next().unwrap_or_default();
        match name {
            "berth.shim.v1.Options" => Ok(Self::from_berth(decode(any)?)),
            "containerd.runc.v1.Options" => Ok(Self::from_runc(decode(any)?, namespace)),
            other => Err(Status::new(
                Code::InvalidArgument,
                format!("options of type {other}; berth.shim.v1.Options and containerd.runc.v1.Options are known"),
            )),
        }
    }

    fn from_berth(options: berth::Options) -> Self {
        let path = |text: String| (!text.is_empty()).then(|| PathBuf::from(text));
        Self {
            runtime: Cli {
                program: options.runtime,
                root: options.runtime_root,
                systemd_cgroup: options.systemd_cgroup,
            },
            log: options.log.and_then(|log| Some((path(log.path)?, log.max_line_bytes as usize))),
            stdin: options.stdin,
            stdin_once: options.stdin_once,
            exit_file: options.exit_file.into(),
            run_on_start: options.run_on_start,
        }
    }

    fn from_runc(options: runc::Options, namespace: &str) -> Self {
        let or_default = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        let runtime = Cli {
            program: or_default(options.binary_name, &Cli::default().program),
            root: format!("{}/{namespace}", or_default(options.root, DEFAULT_ROOT)),
            systemd_cgroup: options.systemd_cgroup,
        };
        Self { runtime, ..Self::default() }
    }
}

fn decode<M: Message + Default>(any: &prost_types::Any) -> Result<M, Status> {
    M::decode(any.value.as_slice())
        .map_err(|error| Status::new(Code::InvalidArgument, format!("{}: {error}", any.type_url)))
}
