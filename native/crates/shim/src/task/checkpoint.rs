//! Checkpoint, and the start of a container from one. The OCI runtime has CRIU do both.

use std::fs;
use std::path::PathBuf;

use prost::Message;
use ttrpc::{Code, Status};

use crate::clients::{Outcome, Reply};
use crate::container::Container;
use crate::events::Publisher;
use crate::held::Held;
use crate::jobs::Jobs;
use crate::proto::{events, runc, task};
use crate::runtime::{Inherited, Restore, Verb};
use crate::said;

/// Where CRIU writes its logs unless it is told a place.
const WORK: &str = "criu";
/// CRIU's first errors say why; the rest are what followed from them.
const ERRORS_SHOWN: usize = 2;

/// Answers Checkpoint: the processes of the container are written to `path`, or to the image path of the options. The
/// container runs on unless `exit` is asked for.
///
/// # Errors
/// [`Code::FailedPrecondition`] while nothing runs, [`Code::InvalidArgument`] for options of another type.
pub fn checkpoint(
    container: &Container,
    jobs: &mut Jobs,
    reply: Reply,
    request: task::CheckpointTaskRequest,
) -> Result<Outcome, Status> {
    let options = options(request.options.as_ref())?;
    if container.init.started_at.is_none() || container.init.exit.is_some() {
        return Err(Status::new(Code::FailedPrecondition, format!("container {} is not running", container.id)));
    }
    let image = if options.image_path.is_empty() { request.path } else { options.image_path.clone() };
    let work = work_path(container, &options.work_path)?;
    jobs.begin(container, reply, (Verb::Checkpoint { image, work, options }, Inherited::default()))?;
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

fn work_path(container: &Container, asked: &str) -> Result<PathBuf, Status> {
    let work = if asked.is_empty() { container.bundle.join(WORK) } else { PathBuf::from(asked) };
    fs::create_dir_all(&work)
        .map_err(|error| Status::new(Code::Internal, format!("CRIU's work path {}: {error}", work.display())))?;
    Ok(work)
}

/// The checkpoint that the container is started from instead of with its program, if there is one.
///
/// # Errors
/// That of making the directory for CRIU's log.
pub fn restore(container: &Container) -> Result<Option<Restore>, Status> {
    let Some(image) = &container.checkpoint else { return Ok(None) };
    Ok(Some(Restore { image: image.clone(), work: work_path(container, "")? }))
}

/// The runtime's `checkpoint` ended.
///
/// # Errors
/// The runtime's.
pub fn checkpointed(
    held: &Held,
    publisher: &Publisher,
    image: &str,
    result: Result<(), Status>,
) -> Result<Vec<u8>, Status> {
    result?;
    let (container_id, checkpoint) = (held.id().to_owned(), image.to_owned());
    publisher.publish("/tasks/checkpointed", &events::TaskCheckpointed { container_id, checkpoint });
    Ok(Vec::new())
}

/// What CRIU's log says went wrong, for a runtime call in which CRIU was at work; empty otherwise.
pub fn criu_errors(verb: &Verb) -> String {
    let log = match verb {
        Verb::Checkpoint { work, .. } => work.join("dump.log"),
        Verb::Run { restore: Some(restore), .. } => restore.work.join("restore.log"),
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
    fn only_runcs_options_are_known() {
        let any = |url: &str| prost_types::Any { type_url: url.to_owned(), value: Vec::new() };
        assert!(options(Some(&any("containerd.runc.v1.CheckpointOptions"))).is_ok());
        assert!(options(Some(&any("x/other.Options"))).is_err());
        assert!(options(None).is_ok());
    }
}
