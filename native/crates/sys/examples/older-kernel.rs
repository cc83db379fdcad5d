//! `older-kernel PROGRAM [ARG]...` runs a program, and whatever that starts, with the system calls of Linux 5.12, the
//! oldest kernel that berth runs on: later ones are not there (`ENOSYS`). Neither is fsopen(2), since overlayfs of that
//! kernel takes no layers by way of it. For tests; as root.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// mount_setattr(2). Since Linux 5.1 all machines number new system calls alike.
const NEWEST: u32 = libc::SYS_mount_setattr as u32;
const FSOPEN: u32 = libc::SYS_fsopen as u32;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("older-kernel PROGRAM [ARG]...");
        return ExitCode::from(2);
    };
    if let Err(error) = forget_newer_calls() {
        eprintln!("older-kernel: {error}");
        return ExitCode::from(2);
    }
    let error = Command::new(&program).args(words).exec();
    eprintln!("older-kernel: {}: {error}", program.display());
    ExitCode::from(127)
}

/// A filter stays with the process for good and goes to all its children.
fn forget_newer_calls() -> std::io::Result<()> {
    let word = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let greater = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
    let end = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        // The number of the call is the first of what a filter sees.
        step(word, 0, 0, 0),
        step(equal, FSOPEN, 1, 0),
        step(greater, NEWEST, 0, 1),
        step(end, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32, 0, 0),
        step(end, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let filter = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the kernel copies the filter, whose steps outlive the call.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
