use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use prost::Message;
use serde_json::json;
use ttrpc::{Call, Handler, Status};

use crate::exec;
use crate::info::Info;
use crate::lanes::{Lane, Lanes};
use crate::{archives, cgroups, fifos, forward, layers, leftovers, log, mounts, namespaces, readings, snapshot};

const SERVICE: &str = "berth.agent.v1.Agent";

/// Answers the calls of the contract, each on its lane.
pub struct Service {
    lanes: Lanes,
    /// Goes into the environment of programs.
    mark: String,
    info: Info,
}

impl Service {
    pub fn new(root: PathBuf) -> Self {
        Self { lanes: Lanes::start(), mark: leftovers::mark(&root), info: Info::new(root) }
    }

    fn answer(&self, call: &Call) -> Result<Vec<u8>, Status> {
        if call.service != SERVICE {
            return Err(Status::unimplemented(&call.service, &call.method));
        }
        match call.method.as_str() {
            "Info" => run(call, |_: crate::proto::InfoRequest| Ok(self.info.answer())),
            "Exec" => run(call, |request| exec::run(request, &self.mark)),
            "CreateNamespaces" => run(call, |request| namespaces::create(&request)),
            "ReleaseNamespaces" => run(call, |request| namespaces::release(&request)),
            "NetworkStats" => run(call, |request| namespaces::network_stats(&request)),
            "ReadCgroups" => run(call, |request| Ok(readings::cgroups(&request))),
            "StatFilesystem" => run(call, |request| readings::filesystem(&request)),
            "ForwardPort" => run(call, |request| forward::port(&request)),
            "MakeFifos" => run(call, |request| fifos::make(&request)),
            "WarmCgroups" => run(call, |_: crate::proto::Empty| cgroups::warm()),
            "Mount" => run(call, mounts::mount),
            "Unmount" => run(call, |request| mounts::unmount(&request)),
            "Unpack" => run(call, |request| layers::unpack(&request)),
            "Archive" => run(call, |request| archives::archive(&request)),
            "Extract" => run(call, |request| archives::extract(&request)),
            "MergeLayer" => run(call, |request| layers::merge_layer(&request)),
            "RemoveTree" => run(call, |request| layers::remove_tree(&request)),
            "DiskUsage" => run(call, |request| layers::disk_usage(&request)),
            "ReadSnapshotFiles" => run(call, |request| snapshot::read_files(&request)),
            "CopySnapshotTree" => run(call, |request| snapshot::copy_tree(&request)),
            _ => Err(Status::unimplemented(&call.service, &call.method)),
        }
    }
}

impl Handler for Service {
    fn handle(self: Arc<Self>, call: Call, reply: Box<dyn FnOnce(Result<Vec<u8>, Status>) + Send>) {
        let service = self.clone();
        let lane = lane_of(&call.method);
        let job = move || {
            let started = Instant::now();
            let answer = service.answer(&call);
            if let Err(status) = &answer {
                log_failure(&call, status, started);
            }
            reply(answer);
        };
        self.lanes.run(lane, Box::new(job));
    }
}

fn lane_of(method: &str) -> Lane {
    match method {
        // They wait for the kernel, as programs do.
        "Exec" | "WarmCgroups" => Lane::Exec,
        "ForwardPort" => Lane::Forward,
        "CreateNamespaces" | "ReleaseNamespaces" => Lane::Namespaces,
        "RemoveTree" | "DiskUsage" | "CopySnapshotTree" | "MergeLayer" => Lane::Trees,
        "Unpack" | "Archive" | "Extract" => Lane::Unpack,
        "ReadCgroups" | "StatFilesystem" | "NetworkStats" => Lane::Readings,
        _ => Lane::Quick,
    }
}

fn run<Q: Message + Default, A: Message>(
    call: &Call,
    answer: impl FnOnce(Q) -> Result<A, Status>,
) -> Result<Vec<u8>, Status> {
    Ok(answer(call.decode()?)?.encode_to_vec())
}

fn log_failure(call: &Call, status: &Status, started: Instant) {
    let fields = json!({
        "method": call.method,
        "ms": started.elapsed().as_millis() as u64,
        "code": format!("{:?}", status.code),
        "error": status.message,
    });
    log::warn("a call failed", &fields);
}
