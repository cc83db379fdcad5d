//! Mounting the container's root filesystem at `<bundle>/rootfs`.

use std::io;
use std::path::{Path, PathBuf};

use crate::proto::types::Mount;

/// Makes the mounts one over the other on `target`. What was made is undone when a later one fails. Mounts with the
/// options `uidmap` and `gidmap` show their layers' files to the container in the bundle's spec, which must join a user
/// namespace, as if they were its own: its root owns what root owns on the host.
///
/// # Errors
/// The failing mount's, with its type and target.
pub fn mount_all(mounts: &[Mount], bundle: &Path, target: &Path) -> io::Result<()> {
    std::fs::create_dir_all(target)?;
    for mount in mounts {
        if let Err(error) = mount_one(mount, bundle, target) {
            let _ = mount::detach(target);
            return Err(io::Error::other(format!("mount {} on {}: {error}", mount.r#type, target.display())));
        }
    }
    Ok(())
}

fn mount_one(mount: &Mount, bundle: &Path, target: &Path) -> io::Result<()> {
    let (mappings, mut words): (Vec<String>, Vec<String>) =
        mount.options.iter().cloned().partition(|word| is_mapping(word));
    if !mappings.is_empty() {
        words.push(format!("usermap={}", user_namespace(bundle)?.display()));
    }
    if mount.r#type == "bind" || words.iter().any(|word| word == "bind" || word == "rbind") {
        // What is mounted in the container is not to be seen where the bind comes from.
        words.insert(0, "rprivate".to_owned());
    }
    mount::attach(&mount::Mount::new(&mount.r#type, &mount.source, &words), target).map_err(io::Error::other)
}

fn is_mapping(option: &str) -> bool {
    option.starts_with("uidmap=") || option.starts_with("gidmap=")
}

/// The user namespace that the bundle's spec joins.
fn user_namespace(bundle: &Path) -> io::Result<PathBuf> {
    let spec: serde_json::Value = serde_json::from_slice(&std::fs::read(bundle.join("config.json"))?)?;
    let namespaces = spec.pointer("/linux/namespaces").and_then(serde_json::Value::as_array);
    let user = namespaces.into_iter().flatten().find(|namespace| namespace["type"] == "user");
    let path = user.and_then(|namespace| namespace["path"].as_str());
    path.map(PathBuf::from)
        .ok_or_else(|| io::Error::other("its owners are to be mapped, but the spec joins no user namespace"))
}
