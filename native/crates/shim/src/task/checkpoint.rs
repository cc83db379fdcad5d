//! Checkpoint, and the start of a container from one. The OCI runtime has CRIU do both.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;
use ttrpc::{Code, Status};

use crate::container::Container;
use crate::job::{self, Order, Verb};
use crate::proto::{events, runc, task};
use crate::said;
use crate::shim::{Outcome, Reply, Shim};

/// Where CRIU writes its logs unless it is told a place.
const WORK: &str = "criu";
/// CRIU's first errors say why; the rest are what followed from them.
const ERRORS_SHOWN: usize = 2;

/// Answers Checkpoint: the processes of the container are written to `path`, or to the image path of the options. The
/// container runs on unless `exit` is asked for.
///
/// # Errors
/// [`Code::FailedPrecondition`] while nothing runs, [`Code::InvalidArgument`] for options of another type.
pub fn checkpoint(shim: &mut Shim, reply: Reply, request: task::CheckpointTaskRequest) -> Result<Outcome, Status> {
    let asked = options(request.options.as_ref())?;
    let container = shim.held()?;
    if container.init.started_at.is_none() || container.init.exit.is_some() {
        return Err(Status::new(Code::FailedPrecondition, format!("container {} is not running", container.id)));
    }
    let image = if asked.image_path.is_empty() { request.path } else { asked.image_path.clone() };
    let work = work_path(container, &asked.work_path)?;
    let mut args: Vec<OsString> = vec!["checkpoint".into(), "--image-path".into(), image.clone().into()];
    args.extend(["--work-path".into(), work.clone().into()]);
    args.extend(flags(&asked).map(OsString::from));
    args.push(container.id.clone().into());
    let verb = Verb::Checkpoint { image, criu_log: work.join("dump.log") };
    job::begin(shim, verb, reply, Order::of(args))?;
    Ok(Outcome::Later)
}

fn options(any: Option<&prost_types::Any>) -> Result<runc::CheckpointOptions, Status> {
    let Some(any) = any.filter(|any| !any.type_url.is_empty()) else { return Ok(runc::CheckpointOptions::default()) };
    if any.type_url.rsplit('/').next() != Some("containerd.runc.v1.CheckpointOptions") {
        return Err(Status::new(Code::InvalidArgument, format!("checkpoint options of type {}", any.type_url)));
    }
    runc::CheckpointOptions::decode(any.value.as_slice())
        .map_err(|error| Status::new(Code::InvalidArgument, format!("{}: {error}", any.type_url)))
}

fn flags(asked: &runc::CheckpointOptions) -> impl Iterator<Item = String> {
    let switches = [
        (!asked.exit, "--leave-running"),
        (asked.open_tcp, "--tcp-established"),
        (asked.external_unix_sockets, "--ext-unix-sk"),
        (asked.terminal, "--shell-job"),
        (asked.file_locks, "--file-locks"),
    ];
    let values = [("--manage-cgroups-mode", &asked.cgroups_mode), ("--parent-path", &asked.parent_path)];
    let values = values.into_iter().filter(|(_, value)| !value.is_empty());
    let values: Vec<String> = values.flat_map(|(flag, value)| [flag.to_owned(), value.clone()]).collect();
    let empty = asked.empty_namespaces.iter().flat_map(|kind| ["--empty-ns".to_owned(), kind.clone()]);
    let empty: Vec<String> = empty.collect();
    switches.into_iter().filter(|&(on, _)| on).map(|(_, flag)| flag.to_owned()).chain(values).chain(empty)
}

fn work_path(container: &Container, asked: &str) -> Result<PathBuf, Status> {
    let work = if asked.is_empty() { container.bundle.join(WORK) } else { PathBuf::from(asked) };
    fs::create_dir_all(&work)
        .map_err(|error| Status::new(Code::Internal, format!("CRIU's work path {}: {error}", work.display())))?;
    Ok(work)
}

/// The words that have the runtime start the container from a checkpoint instead of with its program.
///
/// # Errors
/// That of making the directory for CRIU's log.
pub fn restore_args(container: &Container, image: &Path) -> Result<Vec<OsString>, Status> {
    let work = work_path(container, "")?;
    let mut args: Vec<OsString> = vec!["restore".into(), "--detach".into(), "--image-path".into(), image.into()];
    args.extend(["--work-path".into(), work.into()]);
    args.extend(["--tcp-established", "--file-locks"].map(OsString::from));
    Ok(args)
}

/// The runtime's `checkpoint` ended.
///
/// # Errors
/// The runtime's.
pub fn checkpointed(shim: &mut Shim, image: &str, result: Result<(), Status>) -> Result<Vec<u8>, Status> {
    result?;
    let id = shim.held()?.id.clone();
    shim.publisher
        .publish("/tasks/checkpointed", &events::TaskCheckpointed { container_id: id, checkpoint: image.to_owned() });
    Ok(Vec::new())
}

/// What CRIU's log says went wrong, for a runtime call in which CRIU was at work; empty otherwise.
pub fn criu_errors(container: &Container, verb: &Verb) -> String {
    let log = match verb {
        Verb::Checkpoint { criu_log, .. } => criu_log.clone(),
        Verb::Run if container.checkpoint.is_some() => container.bundle.join(WORK).join("restore.log"),
        _ => return String::new(),
    };
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let errors = errors_in(&text);
    if errors.is_empty() { String::new() } else { format!("; CRIU: {}", said::shown(errors.join("; ").as_bytes())) }
}

/// Lines such as `(00.012986) Error (criu/vdso.c:381): vdso: Unexpected area`. A limit that CRIU cannot raise for itself
/// is told as an error, too, and stops nothing.
fn errors_in(log: &str) -> Vec<&str> {
    let errors = log.lines().filter_map(|line| line.split_once(") Error ")).map(|(_, error)| error.trim());
    errors.filter(|error| !error.contains("RLIMIT_NOFILE")).take(ERRORS_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_errors_of_criu_are_told_and_its_notes_are_not() {
        let log = "(00.01) Pagemap is functional\n(00.02) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self\n\
                   (00.03) Error (criu/vdso.c:381): vdso: Unexpected area\n(00.04) Warn  (criu/x.c:1): y\n(00.05) Error (b): c\n(00.06) Error (d): e\n";
        assert_eq!(errors_in(log), ["(criu/vdso.c:381): vdso: Unexpected area", "(b): c"]);
    }

    #[test]
    fn options_become_the_runtimes_flags() {
        let asked = runc::CheckpointOptions {
            open_tcp: true,
            file_locks: true,
            empty_namespaces: vec!["network".into()],
            ..runc::CheckpointOptions::default()
        };
        let all: Vec<String> = flags(&asked).collect();
        assert_eq!(all, ["--leave-running", "--tcp-established", "--file-locks", "--empty-ns", "network"]);
        assert!(flags(&runc::CheckpointOptions { exit: true, ..Default::default() }).next().is_none());
    }

    #[test]
    fn only_runcs_options_are_known() {
        let any = |url: &str| prost_types::Any { type_url: url.to_owned(), value: Vec::new() };
        assert!(options(Some(&any("containerd.runc.v1.CheckpointOptions"))).is_ok());
        assert!(options(Some(&any("x/other.Options"))).is_err());
        assert!(options(None).is_ok());
    }
}
