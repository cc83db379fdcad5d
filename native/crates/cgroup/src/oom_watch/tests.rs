use std::collections::BTreeMap;
use std::io::Write;

use super::*;

/// Files as version 2 has them, of a container in a slice on a node.
struct Node {
    dir: PathBuf,
}

impl Node {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("berth-oom-{name}-{}", std::process::id()));
        fs::create_dir_all(dir.join("slice/scope")).expect("a node");
        let node = Self { dir };
        node.count(["slice/memory.events", "slice/scope/memory.events", "vmstat"], 0);
        node
    }

    fn count<const N: usize>(&self, files: [&str; N], kills: u64) {
        for file in files {
            // Written over, as a file of the kernel is the same one for ever.
            let mut file =
                File::options().create(true).truncate(false).write(true).open(self.dir.join(file)).expect("opens");
            file.write_all(format!("low 0\nmax 0\noom_kill {kills}\n").as_bytes()).expect("written");
        }
    }

    fn watch(&self) -> OomWatch {
        OomWatch::with(Outliving { above: Some(self.dir.join("slice/memory.events")), node: self.dir.join("vmstat") })
    }

    fn watching(&self) -> OomWatch {
        let mut watch = self.watch();
        watch.begin(&CgroupPaths::V2(self.dir.join("slice/scope")));
        watch
    }

    fn remove(&self, dir: &str) {
        fs::remove_dir_all(self.dir.join(dir)).expect("removed");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn the_cgroup_itself_is_believed_while_it_is_there() {
    let node = Node::new("there");
    let mut watch = node.watching();
    node.count(["slice/memory.events", "vmstat"], 7);
    assert_eq!(watch.kills(), 0);
    node.count(["slice/scope/memory.events"], 2);
    assert_eq!(watch.kills(), 2);
    node.remove("slice/scope");
    // What was killed elsewhere before the last reading does not count.
    assert_eq!(watch.kills(), 2);
}

#[test]
fn a_kill_is_known_when_the_cgroup_is_gone() {
    for outlives in ["slice/memory.events", "vmstat"] {
        let node = Node::new(outlives.split('/').next().expect("a word"));
        let mut watch = node.watching();
        node.count(["slice/scope/memory.events", outlives], 1);
        node.remove(if outlives == "vmstat" { "slice" } else { "slice/scope" });
        assert_eq!(watch.kills(), 1, "{outlives}");
    }
}

#[test]
fn a_kill_whose_word_the_kernel_held_back_is_known() {
    let node = Node::new("late");
    let mut watch = node.watching();
    // The first word told of the limit alone.
    node.count(["slice/scope/memory.events"], 0);
    watch.note();
    assert_eq!(watch.kills(), 0);
    node.count(["slice/memory.events"], 1);
    node.remove("slice/scope");
    assert_eq!(watch.kills(), 1);
}

#[test]
fn a_kill_before_anybody_listened_is_known() {
    let node = Node::new("early");
    let mut watch = node.watch();
    node.count(["slice/memory.events"], 1);
    node.remove("slice/scope");
    watch.begin(&CgroupPaths::V2(node.dir.join("slice/scope")));
    assert_eq!(watch.kills(), 1);
}

#[test]
fn the_kill_of_a_neighbour_is_not_ours() {
    let node = Node::new("other");
    let mut watch = node.watching();
    node.count(["slice/memory.events", "vmstat"], 1);
    node.remove("slice/scope");
    assert_eq!(watch.kills(), 0);
    let mut uncounted = node.watch();
    fs::create_dir(node.dir.join("slice/scope")).expect("a cgroup without a memory controller");
    uncounted.begin(&CgroupPaths::V2(node.dir.join("slice/scope")));
    node.count(["slice/memory.events", "vmstat"], 2);
    assert_eq!(uncounted.kills(), 0);
}

/// As systemd does with a scope: the cgroup goes with its last process, before anybody reaps that.
#[test]
fn a_real_kill_is_known_when_the_cgroup_is_gone_before_the_process() {
    let dir = Path::new(MOUNT).join(format!("memory/berth-oom-{}", std::process::id()));
    if fs::create_dir(&dir).is_err() || fs::write(dir.join("memory.limit_in_bytes"), "8388608").is_err() {
        println!("skipped: the memory controller of cgroup version 1 is needed");
        return;
    }
    let mut watch = OomWatch::before(&format!("/berth-oom-{}", std::process::id()));
    watch.begin(&CgroupPaths::V1(BTreeMap::from([("memory".to_owned(), dir.clone())])));
    assert_eq!(watch.kills(), 0);
    let script = format!("echo $$ >{}/cgroup.procs; exec dd if=/dev/zero of=/dev/null bs=64M", dir.display());
    let mut child = std::process::Command::new("sh").args(["-c", &script]).spawn().expect("starts");
    let procs = || fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    while procs().is_empty() && child.try_wait().expect("asked").is_none() {
        std::thread::yield_now();
    }
    while fs::remove_dir(&dir).is_err() {
        std::thread::yield_now();
    }
    assert!(!child.wait().expect("ended").success());
    // The node's counter may have seen more.
    assert!(watch.kills() > 0);
}
