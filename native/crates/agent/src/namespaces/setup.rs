//! What is done inside of new namespaces, by a thread or process in them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ttrpc::Status;

use super::inside::in_network;
use crate::failure;
use crate::proto::{CreateNamespacesRequest, Empty, WriteSysctlsRequest};

/// Names the host, brings the loopback interface up and writes the sysctls.
pub fn set_up(request: &CreateNamespacesRequest) -> Result<(), Status> {
    if request.uts && !request.hostname.is_empty() {
        rustix::system::sethostname(request.hostname.as_bytes())
            .map_err(failure::on("set the hostname", &request.hostname))?;
    }
    if request.net {
        sys::bring_up("lo").map_err(failure::on("bring up", "the loopback interface"))?;
    }
    write(sysctl_files(request)?)
}

/// Writes sysctls of a network namespace in use, which a user namespace may own: our capabilities hold in it, too.
pub fn write_later(request: WriteSysctlsRequest) -> Result<Empty, Status> {
    let WriteSysctlsRequest { netns_path, sysctls } = request;
    let request = CreateNamespacesRequest { net: true, sysctls, ..CreateNamespacesRequest::default() };
    let files = sysctl_files(&request)?;
    in_network(&netns_path, || write(files)).map(|()| Empty {})
}

fn write(files: BTreeMap<PathBuf, &str>) -> Result<(), Status> {
    for (path, value) in files {
        let shown = path.display().to_string();
        std::fs::write(&path, value).map_err(failure::io("write sysctl", shown))?;
    }
    Ok(())
}

/// The files behind the asked sysctls. Only those of the namespaces being made are allowed: any other would change the
/// host.
pub fn sysctl_files(request: &CreateNamespacesRequest) -> Result<BTreeMap<PathBuf, &str>, Status> {
    let files = request.sysctls.iter().map(|(name, value)| Ok((sysctl_file(name, request)?, value.as_str())));
    files.collect()
}

fn sysctl_file(name: &str, request: &CreateNamespacesRequest) -> Result<PathBuf, Status> {
    let path = slashed(name);
    let parts: Vec<&str> = path.split('/').collect();
    let allowed = match parts.as_slice() {
        ["net", _, ..] => request.net,
        ["kernel", "domainname"] => request.uts,
        ["kernel", leaf] => request.ipc && is_ipc(leaf),
        ["fs", "mqueue", _] => request.ipc,
        _ => false,
    };
    let clean = parts.iter().all(|part| !matches!(*part, "" | "." | "..")) && !path.contains('\0');
    if allowed && clean {
        return Ok(PathBuf::from("/proc/sys").join(path));
    }
    Err(failure::invalid(format!("sysctl {name} does not belong to a namespace that the pod has for itself")))
}

fn is_ipc(leaf: &str) -> bool {
    leaf == "sem" || leaf.starts_with("shm") || leaf.starts_with("msg")
}

/// As sysctl(8): the separator that comes first separates, so that interface names may hold dots.
fn slashed(name: &str) -> String {
    let swap = |letter| match letter {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    match name.find(['.', '/']) {
        Some(first) if name[first..].starts_with('.') => name.chars().map(swap).collect(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, net: bool, ipc: bool) -> Option<String> {
        let request = CreateNamespacesRequest { net, ipc, ..Default::default() };
        sysctl_file(name, &request).ok().map(|path| path.display().to_string())
    }

    #[test]
    fn the_first_separator_separates() {
        let forwarding = Some("/proc/sys/net/ipv4/conf/eth0.1/forwarding".to_owned());
        assert_eq!(file("net.ipv4.conf.eth0/1.forwarding", true, false), forwarding);
        assert_eq!(file("net/ipv4/conf/eth0.1/forwarding", true, false), forwarding);
    }

    #[test]
    fn only_sysctls_of_own_namespaces_are_allowed() {
        assert!(file("kernel.shm_rmid_forced", false, true).is_some());
        assert!(file("fs.mqueue.msg_max", false, true).is_some());
        for (name, net, ipc) in [
            ("net.ipv4.ip_forward", false, true),
            ("kernel.shmmax", true, false),
            ("kernel.core_pattern", true, true),
            ("vm.swappiness", true, true),
            ("net/../kernel/core_pattern", true, true),
            ("net", true, true),
            ("", true, true),
        ] {
            assert_eq!(file(name, net, ipc), None, "{name}");
        }
    }
}
