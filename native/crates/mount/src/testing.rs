use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A tmpfs of a test's own, since layers cannot lie on an overlay everywhere; it goes with everything mounted below.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("berth-mount-{}-{serial}", std::process::id()));
        fs::create_dir(&path).unwrap();
        rustix::mount::mount("tmpfs", &path, "tmpfs", rustix::mount::MountFlags::empty(), None).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes the directory.
    pub fn dir(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        crate::detach_tree(&self.0).unwrap();
        fs::remove_dir(&self.0).unwrap();
    }
}

/// The last mount on `target`, as /proc/self/mountinfo words it: its flags and its filesystem's options.
fn mount_line(target: &Path) -> (String, String) {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let line = table.lines().map(words).rfind(|words| Path::new(&words[4]) == target).unwrap();
    (line[5].clone(), line.last().unwrap().clone())
}

/// Without `relatime`, which every mount has that has no other.
pub fn mount_flags(target: &Path) -> BTreeSet<String> {
    mount_line(target).0.split(',').filter(|&word| word != "relatime").map(str::to_owned).collect()
}

pub fn mount_source(target: &Path) -> String {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = table.lines().rfind(|line| line.split(' ').nth(4) == target.to_str()).unwrap();
    line.split(" - overlay ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
}

pub fn mount_options(target: &Path) -> String {
    mount_line(target).1
}
