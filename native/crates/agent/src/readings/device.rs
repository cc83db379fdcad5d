use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::proto::CgroupIo;

/// The counters of block devices, by `major:minor`.
#[derive(Default)]
pub struct Devices(BTreeMap<String, CgroupIo>);

impl Devices {
    /// The entry of a device; `None` when its name is no `major:minor`.
    pub fn of(&mut self, device: &str) -> Option<&mut CgroupIo> {
        let (major, minor) = device.split_once(':')?;
        let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
        let new = || CgroupIo { device: name(major, minor), major, minor, ..CgroupIo::default() };
        Some(self.0.entry(device.to_owned()).or_insert_with(new))
    }

    pub fn entries(self) -> Vec<CgroupIo> {
        self.0.into_values().collect()
    }
}

/// `/dev/NAME` of a block device, or its numbers where it has none, as filesystems without a disk do.
pub fn name(major: u64, minor: u64) -> String {
    let link = fs::read_link(format!("/sys/dev/block/{major}:{minor}")).ok();
    let name = link.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
    name.map_or_else(|| format!("{major}:{minor}"), |name| format!("/dev/{name}"))
}

/// What stands between a beginning and an end in the names of a directory's files.
pub fn names(dir: &Path, begin: &str, end: &str) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let middle = |name: String| Some(name.strip_prefix(begin)?.strip_suffix(end)?.to_owned());
    let mut found: Vec<String> =
        entries.filter_map(|entry| middle(entry.file_name().to_string_lossy().into_owned())).collect();
    found.sort();
    found
}

#[cfg(test)]
pub mod testing {
    use std::fs;
    use std::path::PathBuf;

    /// A directory of files as a cgroup has them.
    pub struct Fixture {
        pub dir: PathBuf,
    }

    impl Fixture {
        pub fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("berth-readings-{name}-{}", std::process::id()));
            fs::create_dir_all(&dir).expect("a scratch directory");
            Self { dir }
        }

        pub fn write(&self, file: &str, text: &str) {
            fs::write(self.dir.join(file), text).expect("a file");
        }
    }

    impl Drop for Fixture {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}
