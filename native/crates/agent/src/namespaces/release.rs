use rustix::process::Pid;
use ttrpc::Status;

use super::pause;
use super::pins::{Kind, Pins};
use crate::failure;
use crate::proto::{Empty, ReleaseNamespacesRequest};

/// Ends the pause process, by its namespace and, where that is pinned no more, by its cgroups, and unpins the namespaces.
/// What is gone already is fine.
pub fn release(request: &ReleaseNamespacesRequest) -> Result<Empty, Status> {
    failure::absolute("dir", &request.dir)?;
    let pins = Pins::new(&request.dir);
    if let Some(namespace) = pins.inode(Kind::Pid) {
        // An agent that died while making the namespaces never told the number.
        let known = if request.pause_pid > 0 { Pid::from_raw(request.pause_pid) } else { pause::find(namespace) };
        if let Some(pid) = known {
            pause::kill(pid, namespace);
        }
    }
    for cgroup in &request.pause_cgroups {
        failure::absolute("a pause cgroup", cgroup)?;
        pause::empty(cgroup);
    }
    pins.release()?;
    Ok(Empty {})
}
