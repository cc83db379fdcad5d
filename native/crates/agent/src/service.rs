use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use prost::Message;
use serde_json::json;
use ttrpc::{Call, Handler, Status};

use crate::exec::{self, Patience, Runs};
use crate::info::Info;
use crate::lanes::{Lane, Lanes};
use crate::proto::ExecRequest;
use crate::{
    archives, cgroups, failure, fifos, forward, host_paths, layers, leftovers, log, mounts, namespaces, readings,
    snapshot,
};

const SERVICE: &str = "berth.agent.v1.Agent";

/// Answers the calls of the contract, each on its lane.
pub struct Service {
    lanes: Lanes,
    runs: Runs,
    /// Goes into the environment of programs.
    mark: String,
    info: Info,
}

impl Service {
    pub fn new(root: PathBuf) -> Self {
        Self { lanes: Lanes::default(), runs: Runs::default(), mark: leftovers::mark(&root), info: Info::new(root) }
    }

    fn answer(&self, call: &Call, arrived: Instant, left: Option<Arc<OwnedFd>>) -> Result<Vec<u8>, Status> {
        // Its caller has given it up, and may be undoing what it was to do.
        if call.timeout.is_some_and(|timeout| arrived.elapsed() >= timeout) {
            return Err(failure::late(&call.method));
        }
        if call.service != SERVICE {
            return Err(Status::unimplemented(&call.service, &call.method));
        }
        match call.method.as_str() {
            "Info" => run(call, |_: crate::proto::InfoRequest| Ok(self.info.answer())),
            "Exec" => run(call, |request: ExecRequest| {
                let patience = Patience::new(arrived, request.timeout_ms, left);
                exec::run(request, &self.mark, patience)
            }),
            "LeaveExec" => run(call, |request| Ok(self.runs.leave(&request))),
            "CreateNamespaces" => run(call, |request| namespaces::create(&request)),
            "ReleaseNamespaces" => run(call, |request| namespaces::release(&request)),
            "WriteSysctls" => run(call, namespaces::write_sysctls),
            "NetworkStats" => run(call, |request| namespaces::network_stats(&request)),
            "ReadCgroups" => run(call, |request| Ok(readings::cgroups(&request))),
            "StatFilesystem" => run(call, |request| readings::filesystem(&request)),
            "LookAtPath" => run(call, |request| host_paths::look_at(&request)),
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
            "ResolveInSnapshot" => run(call, |request| snapshot::resolve(&request)),
            "CopySnapshotTree" => run(call, |request| snapshot::copy_tree(&request)),
            _ => Err(Status::unimplemented(&call.service, &call.method)),
        }
    }
}

impl Handler for Service {
    fn handle(self: Arc<Self>, call: Call, reply: Box<dyn FnOnce(Result<Vec<u8>, Status>) + Send>) {
        let service = self.clone();
        let arrived = Instant::now();
        let program = (call.method == "Exec").then(|| call.decode::<ExecRequest>().ok()).flatten();
        let left = program.as_ref().and_then(|program| self.runs.enter(program.number));
        let lane = lane_of(&call, program.as_ref());
        let job = move || {
            let answer = service.answer(&call, arrived, left);
            if let Err(status) = &answer {
                log_failure(&call, status, arrived);
            }
            reply(answer);
        };
        self.lanes.run(lane, Box::new(job));
    }
}

fn lane_of(call: &Call, program: Option<&ExecRequest>) -> Lane {
    match call.method.as_str() {
        "Exec" if program.is_some_and(|program| program.detached) => Lane::Shims,
        "Exec" => Lane::Exec,
        // It waits for the kernel, for the sake of a shim that starts.
        "WarmCgroups" => Lane::Shims,
        "ForwardPort" => Lane::Forward,
        "CreateNamespaces" | "ReleaseNamespaces" => Lane::Namespaces,
        "RemoveTree" | "DiskUsage" | "CopySnapshotTree" | "MergeLayer" => Lane::Trees,
        "Unpack" | "Archive" | "Extract" => Lane::Unpack,
        "LookAtPath" => Lane::Paths,
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

fn log_failure(call: &Call, status: &Status, arrived: Instant) {
    let fields = json!({
        "method": call.method,
        "ms": arrived.elapsed().as_millis() as u64,
        "code": format!("{:?}", status.code),
        "error": status.message,
    });
    log::warn("a call failed", &fields);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ExecResponse;
    use std::fs;
    use std::path::Path;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;
    use std::time::Duration;
    use ttrpc::Code;

    type Answer = Result<Vec<u8>, Status>;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("berth-service-{name}-{}", std::process::id()));
        fs::create_dir(&dir).expect("made");
        dir
    }

    fn sh(script: &str) -> ExecRequest {
        ExecRequest { argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(), ..Default::default() }
    }

    fn exec_call(request: &ExecRequest, timeout: Option<Duration>) -> Call {
        let payload = request.encode_to_vec();
        Call { stream_id: 1, service: SERVICE.into(), method: "Exec".into(), payload, timeout }
    }

    fn exec(service: &Arc<Service>, request: &ExecRequest) -> Receiver<Answer> {
        let (sender, answer) = channel();
        service.clone().handle(exec_call(request, None), Box::new(move |result| drop(sender.send(result))));
        answer
    }

    /// Many plain programs, which run until there is the file.
    fn fill(service: &Arc<Service>, release: &Path) -> Vec<Receiver<Answer>> {
        let script = format!("until [ -e {} ]; do sleep 0.1; done", release.display());
        let request = ExecRequest { timeout_ms: 30_000, ..sh(&script) };
        (0..40).map(|_| exec(service, &request)).collect()
    }

    fn exit_code(answer: &Receiver<Answer>) -> i32 {
        let bytes = answer.recv().expect("answered").expect("ran");
        ExecResponse::decode(bytes.as_slice()).expect("an answer").exit_code
    }

    /// The shim may be that of the daemon which all the plugins wait for.
    #[test]
    fn a_shim_starts_and_a_plugin_runs_beside_any_number_of_plugins_that_wait() {
        let dir = scratch("shims");
        let service = Arc::new(Service::new(dir.clone()));
        let release = dir.join("release");
        let plugins = fill(&service, &release);
        assert_eq!(exit_code(&exec(&service, &sh("exit 3"))), 3);
        let shim = ExecRequest { detached: true, ..sh(&format!("touch {}", release.display())) };
        assert_eq!(exit_code(&exec(&service, &shim)), 0);
        assert!(plugins.iter().all(|plugin| exit_code(plugin) == 0));
        fs::remove_dir_all(dir).expect("removed");
    }

    #[test]
    fn a_call_that_its_caller_has_given_up_in_the_queue_is_not_run() {
        let dir = scratch("late");
        let service = Service::new(dir.clone());
        let ran = dir.join("ran");
        let patience = Duration::from_millis(20);
        let call = exec_call(&sh(&format!("touch {}", ran.display())), Some(patience));
        let arrived = Instant::now();
        thread::sleep(patience);
        let status = service.answer(&call, arrived, None).expect_err("too late");
        assert_eq!((status.code, ran.exists()), (Code::DeadlineExceeded, false));
        fs::remove_dir_all(dir).expect("removed");
    }
}
