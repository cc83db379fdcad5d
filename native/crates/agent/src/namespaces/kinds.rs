//! Which namespaces are asked for, and entering them.

use rustix::thread::UnshareFlags;
use ttrpc::Status;

use super::pins::Kind;
use crate::failure;
use crate::proto::CreateNamespacesRequest;

pub fn has_user_namespace(request: &CreateNamespacesRequest) -> bool {
    !request.uid_mappings.is_empty()
}

/// The kinds that a thread or process enters by unshare; the PID namespace comes with its first process.
pub fn shared_kinds(request: &CreateNamespacesRequest) -> Vec<(Kind, UnshareFlags)> {
    let all = [
        (has_user_namespace(request), Kind::User, UnshareFlags::NEWUSER),
        (request.net, Kind::Net, UnshareFlags::NEWNET),
        (request.ipc, Kind::Ipc, UnshareFlags::NEWIPC),
        (request.uts, Kind::Uts, UnshareFlags::NEWUTS),
    ];
    all.into_iter().filter(|(wanted, ..)| *wanted).map(|(_, kind, flag)| (kind, flag)).collect()
}

pub fn unshare(request: &CreateNamespacesRequest) -> Result<(), Status> {
    let flags = shared_kinds(request).into_iter().fold(UnshareFlags::empty(), |flags, (_, flag)| flags | flag);
    if flags.is_empty() {
        return Ok(());
    }
    sys::unshare(flags).map_err(failure::on("unshare namespaces for", &request.dir))
}
