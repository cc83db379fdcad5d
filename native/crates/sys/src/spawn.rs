use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use rustix::io::{Errno, Result};
use rustix::process::Pid;

/// A program to start. Descriptors other than the three given are not inherited if they are close-on-exec, as ours are.
#[derive(Debug)]
pub struct Spawn<'a> {
    /// A path; there is no search.
    pub program: &'a CStr,
    pub argv: &'a [CString],
    /// The whole environment.
    pub env: &'a [CString],
    pub cwd: Option<&'a CStr>,
    pub stdio: [BorrowedFd<'a>; 3],
    /// Lead a new session; otherwise a new process group.
    pub session: bool,
    /// Be pid 1 of a new PID namespace.
    pub pid_namespace: bool,
    /// Be killed when the calling *thread* ends.
    pub die_with_thread: bool,
    /// Begin with this `oom_score_adj`, before the program does anything. Where the kernel does not allow it, or without
    /// one, the program begins with ours.
    pub oom_score_adj: Option<i64>,
}

/// A started program.
#[derive(Debug)]
pub struct Child {
    pub pid: Pid,
    pub pidfd: OwnedFd,
}

const LAST_SIGNAL: c_int = 64;

/// Enough for the few calls between clone and exec.
const STACK: usize = 64 << 10;

/// Starts a program by vfork: the caller's memory is not copied, however large. Returns when the program runs. It begins
/// with no signal blocked or ignored, whatever holds for us.
///
/// # Errors
/// Those of clone(2), and of whatever kept the program from running: `ENOENT`, `EACCES`, `ENOTDIR` (cwd) …
pub fn spawn(spawn: &Spawn<'_>) -> Result<Child> {
    let argv = pointers(spawn.argv);
    let envp = pointers(spawn.env);
    let oom_score_adj = spawn.oom_score_adj.map(|score| score.to_string()).unwrap_or_default();
    let mut plan = Plan {
        program: spawn.program.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        cwd: spawn.cwd.map_or(ptr::null(), CStr::as_ptr),
        stdio: spawn.stdio.map(|fd| fd.as_raw_fd()),
        session: spawn.session,
        die_with_thread: spawn.die_with_thread,
        oom_score_adj: oom_score_adj.as_bytes(),
        soft_nofile: crate::soft_nofile::for_children(),
        // SAFETY: getpid cannot fail.
        parent: unsafe { libc::getpid() },
        failure: 0,
    };
    let namespaces = if spawn.pid_namespace { libc::CLONE_NEWPID } else { 0 };
    let child = with_signals_blocked(|| clone(&mut plan, namespaces))?;
    if plan.failure == 0 {
        return Ok(child);
    }
    // It ended without running the program; nobody else knows of it.
    let _ = rustix::process::waitid(
        rustix::process::WaitId::PidFd(std::os::fd::AsFd::as_fd(&child.pidfd)),
        rustix::process::WaitIdOptions::EXITED,
    );
    Err(Errno::from_raw_os_error(plan.failure))
}

/// The kernel's `struct sigaction` for a signal's default: handler, flags, restorer and mask, all zero.
static DEFAULT_ACTION: [u64; 4] = [0; 4];

/// What the child does, in a form that needs no memory to be allocated.
struct Plan<'a> {
    program: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    cwd: *const c_char,
    stdio: [c_int; 3],
    session: bool,
    die_with_thread: bool,
    /// Empty: ours.
    oom_score_adj: &'a [u8],
    /// 0: ours.
    soft_nofile: libc::rlim_t,
    parent: libc::pid_t,
    /// Written by the child when it could not run the program.
    failure: c_int,
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

fn clone(plan: &mut Plan<'_>, namespaces: c_int) -> Result<Child> {
    let mut stack = vec![MaybeUninit::<u128>::uninit(); STACK / size_of::<u128>()];
    let top = stack.as_mut_ptr_range().end;
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD | namespaces;
    // SAFETY: the stack is unused, aligned and grows down from `top`. CLONE_VFORK suspends this thread until the child
    // has executed the program or ended, so `plan`, `pidfd` and the stack outlive its use of them, and nobody else
    // touches them meanwhile. `run_child` allocates nothing and takes no lock that another thread could hold.
    let pid = unsafe {
        libc::clone(run_child, top.cast::<c_void>(), flags, ptr::from_mut(plan).cast::<c_void>(), &raw mut pidfd)
    };
    let (Some(pid), true) = (Pid::from_raw(pid.max(0)), pidfd >= 0) else {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO));
    };
    // SAFETY: clone made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Child { pid, pidfd })
}

/// A handler that ran in the child would run in our memory.
fn with_signals_blocked<T>(work: impl FnOnce() -> T) -> T {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises `all`, and pthread_sigmask fills `before`.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let result = work();
    // SAFETY: `before` was filled above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    result
}

extern "C" fn run_child(plan: *mut c_void) -> c_int {
    // SAFETY: clone passes the plan, which is ours alone until we exec or end.
    let plan = unsafe { &mut *plan.cast::<Plan<'_>>() };
    // SAFETY: as above; the pointers in the plan are those of live strings and null-terminated arrays.
    plan.failure = unsafe { exec(plan) };
    127
}

/// Returns the errno of what failed.
///
/// # Safety
/// For a vforked child only; the plan's pointers must be valid.
unsafe fn exec(plan: &Plan<'_>) -> c_int {
    let fail = |result: c_int| result < 0;
    // SAFETY: async-signal-safe calls on valid arguments, see the function's contract.
    unsafe {
        let led = if plan.session { libc::setsid() } else { libc::setpgid(0, 0) };
        if fail(led) || plan.stdio.iter().zip(0..).any(|(&from, to)| fail(libc::dup2(from, to))) {
            return errno();
        }
        if !plan.cwd.is_null() && fail(libc::chdir(plan.cwd)) {
            return errno();
        }
        if plan.die_with_thread {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != plan.parent {
                return libc::ESRCH;
            }
        }
        if !plan.oom_score_adj.is_empty() {
            let score = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            libc::write(score, plan.oom_score_adj.as_ptr().cast(), plan.oom_score_adj.len());
        }
        if plan.soft_nofile != 0 {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
            limit.rlim_cur = plan.soft_nofile.min(limit.rlim_max);
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
        // Rust ignores SIGPIPE, and whoever started us may have ignored others, which programs do not expect to inherit. The
        // numbers that cannot be changed are refused. glibc's signal(3) refuses its own two as well, of which its posix_spawn
        // leaves one ignored.
        for signal in 1..=LAST_SIGNAL {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                &raw const DEFAULT_ACTION,
                ptr::null_mut::<c_void>(),
                size_of::<u64>(),
            );
        }
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
        libc::execve(plan.program, plan.argv, plan.envp);
        errno()
    }
}

fn errno() -> c_int {
    // SAFETY: the location of errno is always valid to read.
    unsafe { *libc::__errno_location() }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::AsFd;

    use rustix::process::{WaitId, WaitIdOptions, waitid};

    use super::*;

    fn strings(words: &[&str]) -> Vec<CString> {
        words.iter().map(|word| CString::new(*word).unwrap()).collect()
    }

    fn run(program: &CStr, argv: &[&str]) -> Result<(String, i32)> {
        run_with_score(program, argv, None)
    }

    fn run_with_score(program: &CStr, argv: &[&str], oom_score_adj: Option<i64>) -> Result<(String, i32)> {
        let null = File::open("/dev/null").unwrap();
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let child = spawn(&Spawn {
            program,
            argv: &strings(argv),
            env: &strings(&["A=1"]),
            cwd: Some(c"/proc"),
            stdio: [null.as_fd(), write.as_fd(), write.as_fd()],
            session: false,
            pid_namespace: false,
            die_with_thread: false,
            oom_score_adj,
        })?;
        drop(write);
        let mut output = String::new();
        File::from(read).read_to_string(&mut output).unwrap();
        let status = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap();
        Ok((output, status.unwrap().exit_status().unwrap()))
    }

    #[test]
    fn a_program_gets_its_arguments_environment_directory_and_an_own_group() {
        let script = "echo $0 $A; pwd; test $(ps -o pgid= -p $$) -eq $$ || exit 9; exit 3";
        let (output, code) = run(c"/bin/sh", &["sh", "-c", script]).unwrap();
        assert_eq!((output.as_str(), code), ("sh 1\n/proc\n", 3));
    }

    #[test]
    fn a_program_that_cannot_run_is_an_error() {
        assert_eq!(run(c"/no/such/program", &["x"]).unwrap_err(), Errno::NOENT);
        assert_eq!(run(c"/etc/passwd", &["x"]).unwrap_err(), Errno::ACCESS);
    }

    #[test]
    fn a_program_begins_with_its_score_and_with_ours_where_no_process_can_have_it() {
        let score = |asked| run_with_score(c"/bin/cat", &["cat", "/proc/self/oom_score_adj"], asked).unwrap().0;
        assert_eq!(score(Some(654)), "654\n");
        assert_eq!(score(Some(5000)), score(None));
    }

    #[test]
    fn a_program_begins_with_the_soft_limit_that_held_before_it_was_raised() {
        let limit = |asked: &str| run(c"/bin/sh", &["sh", "-c", asked]).unwrap().0;
        let before = limit("ulimit -Sn");
        crate::raise_soft_nofile(None);
        let own = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert_eq!((own.current, limit("ulimit -Sn")), (own.maximum, before));
        crate::raise_soft_nofile(Some(777));
        assert_eq!(limit("ulimit -Sn"), "777\n");
        crate::raise_soft_nofile(Some(u64::MAX));
        assert_eq!(limit("ulimit -Sn"), limit("ulimit -Hn"));
    }

    #[test]
    fn a_program_begins_with_no_signal_blocked_or_ignored() {
        let signals = crate::SignalFd::new(&[libc::SIGCHLD, libc::SIGPIPE, libc::SIGTERM]).unwrap();
        // SAFETY: ignoring a signal that nobody sends here.
        unsafe { libc::signal(libc::SIGWINCH, libc::SIG_IGN) };
        let (status, _) = run(c"/bin/cat", &["cat", "/proc/self/status"]).unwrap();
        let set = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        assert_eq!((set("SigBlk:"), set("SigIgn:")), ("0000000000000000".to_owned(), "0000000000000000".to_owned()));
        drop(signals);
    }
}
