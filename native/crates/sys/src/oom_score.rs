use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::{Mode, OFlags};

/// Lets the program that `command` starts begin with this `oom_score_adj`, before it does anything. Where the kernel does
/// not allow it, the program begins with ours.
pub fn begin_with_oom_score_adj(command: &mut Command, score: i64) {
    let text = score.to_string();
    let write = move || {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        if let Ok(file) = rustix::fs::open(c"/proc/self/oom_score_adj", flags, Mode::empty()) {
            let _ = rustix::io::write(&file, text.as_bytes());
        }
        Ok(())
    };
    // SAFETY: between fork and exec it only opens, writes and closes a file, which allocates nothing and takes no lock.
    unsafe { command.pre_exec(write) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_begins_with_its_score() {
        let mut command = Command::new("/bin/cat");
        begin_with_oom_score_adj(command.arg("/proc/self/oom_score_adj"), 654);
        assert_eq!(command.output().expect("ran").stdout, b"654\n");
    }

    #[test]
    fn a_score_that_no_process_can_have_keeps_no_program_from_running() {
        let mut command = Command::new("/bin/true");
        begin_with_oom_score_adj(&mut command, 5000);
        assert!(command.status().expect("ran").success());
    }
}
