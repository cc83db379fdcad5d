//! The shim at work: what it does when something happens, and the Task service and berth's own Container service, one verb a
//! file.

mod adopt;
mod attach;
mod checkpoint;
mod create;
mod delete;
mod describe;
mod dispatch;
mod end_execs;
mod exec;
mod exit;
mod finish;
mod kill;
mod launch;
mod reopen_log;
mod start;
mod state;
mod update;

use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::container::Container;
use crate::event_loop::Event;
use crate::shim::Shim;
use dispatch::answer;

/// Serves until Shutdown, or until a signal that asks for the end while there is no container to keep.
///
/// # Errors
/// That of epoll_wait(2).
pub fn serve(shim: &mut Shim) -> io::Result<()> {
    loop {
        match shim.events.wait()? {
            Event::Accepted(stream) => shim.clients.add(stream),
            Event::Client(token, flags) => {
                for (reply, call) in shim.clients.hear(token, flags) {
                    answer(shim, reply, call);
                }
                shim.clients.forget_if_left(token);
            }
            Event::Stream(token) => {
                shim.outputs.step(token);
            }
            Event::Reaped(pid, status) => reaped(shim, pid, status),
            Event::Memory => shim.held.peek_mut().into_iter().for_each(|container| container.oom.note()),
            Event::AskedToEnd => shim.asked_to_end = true,
            Event::Timer => {
                do_what_is_due(shim);
                if shim.is_over() || (shim.asked_to_end && exit::may_end(shim)) {
                    break;
                }
                let patience = patience(shim);
                shim.events.wake_within(patience);
            }
        }
    }
    shim.clients.flush();
    Ok(())
}

fn reaped(shim: &mut Shim, pid: u32, status: ExitStatus) {
    if let Some(job) = shim.jobs.take(pid) {
        finish::finish(shim, job, status);
        for (reply, call) in shim.clients.take_deferred() {
            answer(shim, reply, Ok(call));
        }
        shim.jobs.settle();
    } else if !exit::reaped(&mut shim.held, &mut shim.outputs, pid, status) {
        shim.jobs.keep_end(pid, status);
    }
}

fn do_what_is_due(shim: &mut Shim) {
    shim.outputs.catch_up();
    if shim.jobs.cut_overdue() {
        // What its maker left to us is in no tree of it: crun has a child wait for the hooks.
        shim.held.peek().into_iter().for_each(Container::kill_unknown);
    }
    exit::announce_due(shim);
}

/// How long nothing is due.
fn patience(shim: &mut Shim) -> Option<Duration> {
    let processes = shim.held.peek_mut().into_iter().flat_map(Container::processes_mut);
    let drains = processes.filter_map(|process| (!process.announced).then_some(process.drain_until).flatten());
    let due = drains.chain(shim.jobs.due()).min();
    let due = due.map(|at| at.saturating_duration_since(Instant::now()));
    due.into_iter().chain(shim.outputs.due()).min()
}
