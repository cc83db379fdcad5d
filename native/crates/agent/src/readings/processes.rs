use std::fs;

use crate::proto::CgroupProcesses;

/// More than these are not looked at: whoever polls statistics must not keep a processor busy with them.
const MAX_PROCESSES: usize = 1024;
const MAX_DESCRIPTORS: u64 = 65_536;

/// What /proc says of a cgroup's processes. Those that end meanwhile count nothing.
pub fn read(pids: &[u32], main: i32) -> CgroupProcesses {
    let (file_descriptors, sockets) = descriptors(pids).unzip();
    let inside = u32::try_from(main).is_ok_and(|main| pids.contains(&main));
    CgroupProcesses { file_descriptors, sockets, open_files_limit: if inside { open_files_limit(main) } else { None } }
}

fn descriptors(pids: &[u32]) -> Option<(u64, u64)> {
    if pids.len() > MAX_PROCESSES {
        return None;
    }
    let (mut all, mut sockets) = (0, 0);
    for pid in pids {
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            all += 1;
            if all > MAX_DESCRIPTORS {
                return None;
            }
            let target = fs::read_link(entry.path()).unwrap_or_default();
            sockets += u64::from(target.as_os_str().as_encoded_bytes().starts_with(b"socket:"));
        }
    }
    Some((all, sockets))
}

/// `Max open files  1024  4096  files`, of which the first number is the soft limit.
fn open_files_limit(pid: i32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_socket_is_a_descriptor_too() {
        let own = std::process::id();
        let sockets = || read(&[own], 0).sockets.expect("few enough");
        let before = sockets();
        let held: Vec<UdpSocket> = (0..50).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a socket")).collect();
        let now = read(&[own], i32::try_from(own).expect("a pid"));
        assert!(
            now.sockets.expect("few enough") >= before + 40,
            "{before} before {} sockets, then {now:?}",
            held.len()
        );
        assert!(now.file_descriptors > now.sockets);
        assert!(now.open_files_limit.is_some());
    }

    #[test]
    fn too_many_processes_are_not_looked_at_and_a_foreign_pid_tells_nothing() {
        let many = vec![1; MAX_PROCESSES + 1];
        assert_eq!(read(&many, 2), CgroupProcesses::default());
        assert_eq!(
            read(&[], 1),
            CgroupProcesses { file_descriptors: Some(0), sockets: Some(0), open_files_limit: None }
        );
    }
}
