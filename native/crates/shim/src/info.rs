//! `-info`: tells containerd what the shim is and what its OCI runtime can do.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};

use prost::Message;

use crate::options::Options;

/// containerd.types.RuntimeInfo.
#[derive(Clone, PartialEq, prost::Message)]
struct RuntimeInfo {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    version: Option<RuntimeVersion>,
    #[prost(message, optional, tag = "3")]
    options: Option<prost_types::Any>,
    /// The OCI features document as JSON.
    #[prost(message, optional, tag = "4")]
    features: Option<prost_types::Any>,
    #[prost(btree_map = "string, string", tag = "5")]
    annotations: BTreeMap<String, String>,
}

/// containerd.types.RuntimeVersion.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct RuntimeVersion {
    #[prost(string, tag = "1")]
    version: String,
    #[prost(string, tag = "2")]
    revision: String,
}

const FEATURES: &str = "types.containerd.io/opencontainers/runtime-spec/1/features/Features";

/// Reads options, if there are any, from the standard input and prints a RuntimeInfo.
///
/// # Errors
/// `InvalidInput` for options that are none of ours; those of reading and writing.
pub fn info() -> io::Result<()> {
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input)?;
    let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
    let any = prost_types::Any::decode(input.as_slice()).map_err(|error| invalid(error.to_string()))?;
    let options = Options::decode(Some(&any), "").map_err(|status| invalid(status.message))?;
    let answer = RuntimeInfo {
        name: "io.containerd.berth.v1".to_owned(),
        version: Some(RuntimeVersion { version: env!("CARGO_PKG_VERSION").to_owned(), revision: String::new() }),
        options: (!any.type_url.is_empty()).then_some(any),
        features: features(&options.runtime.program),
        annotations: BTreeMap::new(),
    };
    io::stdout().write_all(&answer.encode_to_vec())
}

/// What `runtime features` prints. Older runtimes do not know the command, and have no features then.
fn features(runtime: &str) -> Option<prost_types::Any> {
    let output = Command::new(runtime).arg("features").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let document = output.status.success().then_some(output.stdout)?;
    serde_json::from_slice::<serde_json::Value>(&document).ok()?;
    Some(prost_types::Any { type_url: FEATURES.to_owned(), value: document })
}
