//! The command line of a containerd shim.

use std::path::PathBuf;

/// What the shim was started for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Args {
    pub namespace: String,
    pub id: String,
    pub bundle: Option<PathBuf>,
    /// For `delete`: the program of another's shim, which keeps the container.
    pub shim: Option<PathBuf>,
    pub action: String,
}

impl Args {
    /// Reads Go-style flags (`-name value`, `-name=value`, one dash or two) and the action behind them.
    ///
    /// # Errors
    /// A sentence that names the flag.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut args = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix('-').map(|rest| rest.trim_start_matches('-')) else {
                args.action = word;
                break;
            };
            let (name, inline) =
                flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value.to_owned())));
            if matches!(name, "debug" | "info" | "v" | "version") {
                if name != "debug" {
                    args.action = name.to_owned();
                }
                continue;
            }
            let value = inline.or_else(|| words.next()).ok_or_else(|| format!("flag -{name} needs a value"))?;
            match name {
                "namespace" => args.namespace = value,
                "id" => args.id = value,
                "bundle" => args.bundle = Some(value.into()),
                "shim" => args.shim = Some(value.into()),
                // For clients of older protocols; events go to TTRPC_ADDRESS.
                "address" | "publish-binary" | "socket" | "debug-socket" => {}
                _ => return Err(format!("unknown flag -{name}")),
            }
        }
        Ok(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containerds_command_line() {
        let line = "-namespace k8s.io -address /run/c.sock -publish-binary /bin/c -id c1 -debug --bundle=/b start";
        let args = Args::parse(line.split(' ').map(str::to_owned)).expect("parses");
        assert_eq!((args.namespace.as_str(), args.id.as_str(), args.action.as_str()), ("k8s.io", "c1", "start"));
        assert_eq!(args.bundle, Some("/b".into()));
        assert!(Args::parse(["-what".to_owned(), "x".to_owned()]).is_err());
        assert!(Args::parse(["-id".to_owned()]).is_err());
    }
}
