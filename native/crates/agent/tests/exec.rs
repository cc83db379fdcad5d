//! Programs run through the agent.

#![allow(clippy::unwrap_used)]

mod support;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use support::proto::{
    Empty, ExecRequest, ExecResponse, ForwardPortRequest, InfoRequest, InfoResponse, LeaveExecRequest,
};
use support::{Agent, Scratch, assert_fails, eventually, is_running, text};
use ttrpc::Code;

fn sh(script: &str) -> ExecRequest {
    ExecRequest { argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(), ..Default::default() }
}

#[test]
fn a_program_gets_its_input_and_environment_and_its_outputs_come_back() {
    let mut agent = Agent::start();
    let request = ExecRequest {
        env: vec!["GREETING=hello".into()],
        cwd: "/proc".into(),
        stdin: b"input".to_vec(),
        ..sh("pwd; env | grep -v -e PWD -e SHLVL -e _= -e BERTH_AGENT_ROOT; cat; echo problem >&2; exit 3")
    };
    let answer: ExecResponse = agent.call("Exec", &request);
    assert_eq!(String::from_utf8(answer.stdout).unwrap(), "/proc\nGREETING=hello\ninput");
    assert_eq!((answer.stderr.as_slice(), answer.exit_code), (b"problem\n".as_slice(), 3));
    let killed: ExecResponse = agent.call("Exec", &sh("kill -9 $$"));
    assert_eq!(killed.exit_code, 137);
}

#[test]
fn large_streams_flow_both_ways_and_outputs_are_capped() {
    let mut agent = Agent::start();
    let input = vec![b'x'; 900 << 10];
    let request = ExecRequest { stdin: input.clone(), ..sh("tee /dev/stderr") };
    let answer: ExecResponse = agent.call("Exec", &request);
    assert!(answer.stdout == input && answer.stderr == input);
    let answer: ExecResponse = agent.call("Exec", &sh("head -c 3000000 /dev/zero"));
    assert_eq!((answer.stdout.len(), answer.exit_code), (1 << 20, 0));
    let unread = ExecRequest { stdin: input, ..sh("exec <&-; exit 0") };
    assert_eq!(agent.call::<_, ExecResponse>("Exec", &unread).exit_code, 0);
}

#[test]
fn a_timeout_kills_the_whole_group() {
    let mut agent = Agent::start();
    let scratch = Scratch::new();
    let file = text(&scratch.path("pid"));
    let started = Instant::now();
    let request = ExecRequest { timeout_ms: 200, ..sh(&format!("sleep 60 & echo $! > {file}; echo stuck >&2; wait")) };
    assert_fails(agent.try_call::<_, ExecResponse>("Exec", &request), Code::DeadlineExceeded, "it said: stuck");
    assert!(started.elapsed() < Duration::from_secs(5));
    let pid = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    eventually("the child is gone", || !is_running(pid));
    let flood = ExecRequest { timeout_ms: 200, ..sh("exec yes") };
    assert_fails(agent.try_call::<_, ExecResponse>("Exec", &flood), Code::DeadlineExceeded, "/bin/sh");
}

/// Its parent, in a group of its own, lives as long as it does.
#[test]
fn what_a_program_started_in_other_groups_is_killed_with_it() {
    let mut agent = Agent::start();
    let scratch = Scratch::new();
    let file = scratch.path("pids");
    let script = "setsid sh -c 'sleep 60 & echo $$ $! > $0.new; mv $0.new $0; wait' $0 & wait";
    let argv = ["/bin/sh", "-c", script, &text(&file)].map(str::to_owned).to_vec();
    let request = ExecRequest { argv, timeout_ms: 1000, ..Default::default() };
    assert_fails(agent.try_call::<_, ExecResponse>("Exec", &request), Code::DeadlineExceeded, "was killed");
    let pids = std::fs::read_to_string(&file).unwrap();
    for pid in pids.split_whitespace().map(|pid| pid.parse().unwrap()) {
        eventually("it is gone", || !is_running(pid));
    }
}

#[test]
fn a_program_whose_caller_leaves_may_end_by_itself_and_is_killed_soon_otherwise() {
    let mut agent = Agent::start();
    let scratch = Scratch::new();
    let [stuck, ended, pid] = ["stuck", "ended", "pid"].map(|name| scratch.path(name));
    let script = format!("echo $$ > {0}.new; mv {0}.new {0}; sleep 60; touch {1}", text(&pid), text(&stuck));
    agent.send("Exec", &ExecRequest { number: 1, ..sh(&script) });
    agent.send("Exec", &ExecRequest { number: 2, ..sh(&format!("sleep 0.2; touch {}", text(&ended))) });
    eventually("the program runs", || pid.exists());
    for number in [1, 2, 3] {
        let _: Empty = agent.call("LeaveExec", &LeaveExecRequest { number });
    }
    let pid = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    eventually("the stuck one is killed", || !is_running(pid));
    eventually("the other one ends", || ended.exists());
    assert!(!stuck.exists());
    // An answer that nobody awaits disturbs no other.
    assert_eq!(agent.call::<_, ExecResponse>("Exec", &ExecRequest { number: 4, ..sh("exit 4") }).exit_code, 4);
}

#[test]
fn a_detached_program_may_leave_a_process_that_holds_its_outputs() {
    let mut agent = Agent::start();
    let request = ExecRequest { detached: true, ..sh("sleep 60 & echo $!") };
    let answer: ExecResponse = agent.call("Exec", &request);
    let pid: i32 = String::from_utf8(answer.stdout).unwrap().trim().parse().unwrap();
    assert_eq!(agent.hang_up(), 0);
    assert!(is_running(pid));
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL).unwrap();
}

#[test]
fn the_next_agent_waits_for_programs_of_the_last_one_whether_that_hung_up_or_was_killed() {
    for abrupt in [false, true] {
        let root = Scratch::new();
        let mut agent = Agent::start_on(&root.path(""));
        let (begun, ended) = (root.path("begun"), root.path("ended"));
        agent.send("Exec", &sh(&format!("touch {}; sleep 0.5; touch {}", text(&begun), text(&ended))));
        eventually("the program runs", || begun.exists());
        if abrupt {
            agent.kill();
        } else {
            assert_eq!(agent.hang_up(), 0);
        }
        let mut next = Agent::start_on(&root.path(""));
        let _: InfoResponse = next.call("Info", &InfoRequest {});
        assert!(ended.exists());
    }
}

#[test]
fn a_program_of_the_last_agent_that_does_not_end_is_killed_with_its_children() {
    let root = Scratch::new();
    let mut agent = Agent::start_on(&root.path(""));
    let file = root.path("pids");
    agent.send("Exec", &sh(&format!("sleep 60 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", text(&file))));
    eventually("the program runs", || file.exists());
    agent.kill();
    let mut next = Agent::start_on(&root.path(""));
    let _: InfoResponse = next.call("Info", &InfoRequest {});
    let pids = std::fs::read_to_string(&file).unwrap();
    assert!(pids.split_whitespace().all(|pid| !is_running(pid.parse().unwrap())));
}

#[test]
fn two_agents_never_serve_one_root() {
    let root = Scratch::new();
    let mut first = Agent::start_on(&root.path(""));
    // The one that starts last stays, so the first must be there before.
    let _: InfoResponse = first.call("Info", &InfoRequest {});
    let mut second = Agent::start_on(&root.path(""));
    let _: InfoResponse = second.call("Info", &InfoRequest {});
    assert_eq!(first.hang_up(), -1);
}

#[test]
fn what_cannot_run_is_an_error() {
    let mut agent = Agent::start();
    let request = |program: &str| ExecRequest { argv: vec![program.into()], ..Default::default() };
    let mut attempt = |program| agent.try_call::<_, ExecResponse>("Exec", &request(program));
    assert_fails(attempt("/no/such/plugin"), Code::NotFound, "exec /no/such/plugin");
    assert_fails(attempt("relative"), Code::InvalidArgument, "absolute");
    assert_fails(attempt("/etc/passwd"), Code::Internal, "exec /etc/passwd");
    let none = ExecRequest::default();
    assert_fails(agent.try_call::<_, ExecResponse>("Exec", &none), Code::InvalidArgument, "argv");
    let unknown = agent.try_call::<_, ExecResponse>("NoSuchMethod", &none);
    assert_fails(unknown, Code::Unimplemented, "NoSuchMethod");
}

#[test]
fn ports_that_do_not_answer_hold_no_program_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // Room for one, which is taken: others are not even refused.
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let _first = TcpStream::connect(address).unwrap();
    let mut agent = Agent::start();
    for _ in 0..40 {
        let request =
            ForwardPortRequest { netns_path: String::new(), port: address.port().into(), socket: "/nowhere".into() };
        agent.send("ForwardPort", &request);
    }
    let started = Instant::now();
    let answer: ExecResponse = agent.call("Exec", &sh("exit 7"));
    assert_eq!(answer.exit_code, 7);
    assert!(started.elapsed() < Duration::from_secs(3));
    agent.kill();
}
