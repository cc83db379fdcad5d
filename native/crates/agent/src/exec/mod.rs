//! Running programs to their end.

mod patience;
mod pump;
mod runs;

pub use patience::Patience;
pub use runs::Runs;

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use processes::kill_tree;
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use sys::{Child, Spawn};
use ttrpc::{Code, Status};

use crate::failure;
use crate::proto::{ExecRequest, ExecResponse};
use pump::{End, Pump};

const MAX_OUTPUT: usize = 1 << 20;

/// Runs a program and returns what it wrote. Its own failures are an exit code, not an error. `mark` goes into the
/// environment of what must not outlive the next agent's start. A program for which nobody has patience left is not
/// started, or killed with all that came from it.
pub fn run(mut request: ExecRequest, mark: &str, mut patience: Patience) -> Result<ExecResponse, Status> {
    let program = program_of(&request)?;
    if patience.look().is_spent() {
        return Err(failure::late(&program));
    }
    if !request.detached {
        request.env.push(mark.to_owned());
    }
    let (child, mut pump) = start(&request).map_err(failure::on("exec", &program))?;
    let end = pump.run(child.pidfd.as_fd(), &mut patience);
    if !matches!(end, Ok(End::Exited)) {
        // Whatever went wrong, nobody waits for this program any more.
        kill_tree(child.pid);
        // Those in it whose parents have ended.
        let _ = kill_process_group(child.pid, Signal::KILL);
    }
    let exit_code = reap(&child).map_err(failure::on("wait for", &program))?;
    match end.map_err(failure::on("read the output of", &program))? {
        End::Exited => Ok(ExecResponse { stdout: pump.stdout(), stderr: pump.stderr(), exit_code }),
        End::Overdue => Err(overdue(&program, &patience, &pump.stderr())),
    }
}

fn program_of(request: &ExecRequest) -> Result<String, Status> {
    match request.argv.first() {
        Some(program) if program.starts_with('/') => Ok(program.clone()),
        Some(program) => Err(failure::invalid(format!("argv[0] must be an absolute path, not {program:?}"))),
        None => Err(failure::invalid("argv is empty")),
    }
}

fn start(request: &ExecRequest) -> rustix::io::Result<(Child, Pump)> {
    let argv = c_strings(&request.argv)?;
    let env = c_strings(&request.env)?;
    let cwd = (!request.cwd.is_empty()).then(|| c_string(&request.cwd)).transpose()?;
    let stdin = Input::open(&request.stdin)?;
    let (stdout, child_stdout) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr, child_stderr) = pipe_with(PipeFlags::CLOEXEC)?;
    let child = sys::spawn(&Spawn {
        program: &argv[0],
        argv: &argv,
        env: &env,
        cwd: cwd.as_deref(),
        stdio: [stdin.child_end(), child_stdout.as_fd(), child_stderr.as_fd()],
        session: false,
        pid_namespace: false,
        die_with_thread: false,
        oom_score_adj: None,
    })?;
    let input = stdin.into_our_end().map(|pipe| (pipe, request.stdin.clone()));
    Ok((child, Pump::new(input, (stdout, stderr), MAX_OUTPUT)?))
}

/// What the child reads: nothing, or a pipe that we fill.
enum Input {
    Null(OwnedFd),
    Pipe { child: OwnedFd, ours: OwnedFd },
}

impl Input {
    fn open(content: &[u8]) -> rustix::io::Result<Self> {
        if content.is_empty() {
            let null = rustix::fs::open(c"/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            return Ok(Self::Null(null));
        }
        let (child, ours) = pipe_with(PipeFlags::CLOEXEC)?;
        Ok(Self::Pipe { child, ours })
    }

    fn child_end(&self) -> BorrowedFd<'_> {
        match self {
            Self::Null(null) => null.as_fd(),
            Self::Pipe { child, .. } => child.as_fd(),
        }
    }

    fn into_our_end(self) -> Option<File> {
        match self {
            Self::Null(_) => None,
            Self::Pipe { ours, .. } => Some(ours.into()),
        }
    }
}

fn c_strings(words: &[String]) -> rustix::io::Result<Vec<CString>> {
    words.iter().map(|word| c_string(word)).collect()
}

fn c_string(word: &str) -> rustix::io::Result<CString> {
    CString::new(word).map_err(|_| rustix::io::Errno::INVAL)
}

fn reap(child: &Child) -> rustix::io::Result<i32> {
    let status = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED)?;
    let code = status.map_or(0, |status| match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, signal) => 128 + signal.unwrap_or(0),
    });
    Ok(code)
}

fn overdue(program: &str, patience: &Patience, stderr: &[u8]) -> Status {
    let said = String::from_utf8_lossy(&stderr[..stderr.len().min(200)]).trim().to_owned();
    let said = if said.is_empty() { said } else { format!("; it said: {said}") };
    let ms = patience.began.elapsed().as_millis();
    if patience.was_left() {
        return Status::new(Code::Canceled, format!("{program} was killed after {ms} ms, since its caller left{said}"));
    }
    Status::new(Code::DeadlineExceeded, format!("{program} did not end within {ms} ms and was killed{said}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    /// Runs `sleep 5` with ten seconds, of which so many have gone by in a queue.
    fn run_after(waited: Duration) -> (Result<ExecResponse, Status>, Duration) {
        let argv = ["/bin/sh", "-c", "sleep 5"].map(str::to_owned).to_vec();
        let request = ExecRequest { argv, timeout_ms: 10_000, ..Default::default() };
        let began = Instant::now();
        let arrived = began.checked_sub(waited).expect("the machine has run for so long");
        let patience = Patience::new(arrived, request.timeout_ms, None);
        (run(request, "MARK=1", patience), began.elapsed())
    }

    #[test]
    fn the_time_in_the_queue_counts() {
        let (result, took) = run_after(Duration::from_millis(9_900));
        let status = result.expect_err("timed out");
        assert!(status.message.contains("was killed") && took < Duration::from_secs(4), "{status:?} after {took:?}");
        let status = run_after(Duration::from_secs(10)).0.expect_err("too late");
        assert_eq!((status.code, status.message.contains("was not run")), (Code::DeadlineExceeded, true));
    }
}
