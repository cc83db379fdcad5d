//! What a client hears of a runtime that fails.

use ttrpc::{Code, Status};

use crate::bundle::Wish;
use crate::execs::{exec, idle};
use crate::fixture::Shim;
use crate::proto::berth::shim::v1 as berth;
use crate::proto::containerd::task::v3 as task;

fn start(shim: &mut Shim, options: &berth::Options, terminal: bool) -> Status {
    let request = shim.create_request(options, terminal);
    let made: Result<task::CreateTaskResponse, _> = shim.try_call("Create", &request);
    let start = task::StartRequest { id: shim.id.clone(), ..Default::default() };
    let started = made.and_then(|_| shim.try_call::<_, task::StartResponse>("Start", &start));
    started.expect_err("the runtime fails")
}

#[test]
fn its_log_its_stderr_and_its_end_are_told() {
    let cases = [
        ("exit 3", "runtime.sh run: exit code 3, and no word"),
        ("kill -SEGV $$", "runtime.sh run: ended by signal 11, and no word"),
        ("echo oh no >&2; exit 3", "runtime.sh run: oh no (exit code 3)"),
        ("printf 'red \\033[31m\\r\\n' >&2; exit 3", "runtime.sh run: red [31m (exit code 3)"),
        ("echo '{\"level\":\"error\",\"msg\":\"said\"}' > $log; exit 4", "runtime.sh run: said (exit code 4)"),
        (
            "echo '{\"level\":\"error\",\"msg\":\"said\"}' > $log; echo I will not >&2; exit 4",
            "runtime.sh run: said (exit code 4); it said: I will not",
        ),
        ("echo '{\"level\":\"err' > $log; exit 4", "runtime.sh run: {\"level\":\"err (exit code 4)"),
    ];
    for (script, expected) in cases {
        for terminal in [false, true] {
            let Some(mut shim) = Shim::start(&Wish { script: "true", ..Wish::default() }) else { return };
            let failed = {
                let options = shim.options_through(&format!("run) {script} ;;"));
                start(&mut shim, &options, terminal)
            };
            assert_eq!((failed.code, failed.message.as_str()), (Code::Unknown, expected), "{script}");
            shim.delete("").expect("deleted");
        }
    }
}

#[test]
fn megabytes_of_words_neither_hang_it_nor_reach_the_client() {
    for (verb, terminal) in [("run", false), ("run", true)] {
        let Some(mut shim) = Shim::start(&Wish { script: "true", ..Wish::default() }) else { return };
        let case = format!("{verb}) yes words | head -c 9000000 >&2; yes lines | head -c 9000000 > $log; exit 3 ;;");
        let options = shim.options_through(&case);
        let failed = start(&mut shim, &options, terminal);
        assert!(
            failed.message.len() < 5000 && failed.message.contains("words words") && failed.message.contains("lines"),
            "{}",
            failed.message
        );
        assert!(failed.message.contains("exit code 3"), "{}", failed.message);
        shim.delete("").expect("deleted");
    }
}

#[test]
fn one_that_is_missing_or_cannot_be_run_is_named() {
    for (path, reason) in [
        ("/no/such/runtime", "No such file"),
        ("/etc/passwd", "Permission denied"),
        ("no-such-runtime", "not found in PATH"),
    ] {
        let Some(mut shim) = Shim::start(&Wish { script: "true", ..Wish::default() }) else { return };
        let options = berth::Options { runtime: path.into(), run_on_start: true, ..shim.options() };
        let failed = start(&mut shim, &options, false);
        assert_eq!(failed.code, Code::Internal);
        assert!(failed.message.contains(path) && failed.message.contains(reason), "{}", failed.message);
        shim.delete("").expect("deleted");
    }
}

#[test]
fn an_exec_that_fails_says_why_and_one_that_runs_keeps_its_words_to_itself() {
    let Some(mut shim) = idle() else { return };
    exec(&mut shim, "e1", "echo mine >&2; exit 7", 100).expect("started");
    assert_eq!(shim.wait("e1"), 7);
    let Some(mut shim) = Shim::start(&Wish { script: "sleep 1000", ..Wish::default() }) else { return };
    let options = shim.options_through("exec) echo no exec today >&2; exit 9 ;;");
    shim.run(&options, false);
    let failed = exec(&mut shim, "e2", "true", 100).expect_err("the runtime fails");
    assert_eq!(failed.message, "runtime.sh exec: no exec today (exit code 9)");
}
