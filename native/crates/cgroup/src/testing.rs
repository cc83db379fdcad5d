use std::fs;
use std::path::PathBuf;

/// A directory of files as a cgroup has them.
pub struct Fixture {
    pub dir: PathBuf,
}

impl Fixture {
    pub fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("berth-cgroup-{name}-{}", std::process::id()));
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
