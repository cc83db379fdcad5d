use std::fs;
use std::path::Path;

/// `/dev/NAME` of a block device, or its numbers where it has none, as filesystems without a disk do.
pub fn name(major: u64, minor: u64) -> String {
    let link = fs::read_link(format!("/sys/dev/block/{major}:{minor}")).ok();
    let name = link.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
    name.map_or_else(|| format!("{major}:{minor}"), |name| format!("/dev/{name}"))
}
