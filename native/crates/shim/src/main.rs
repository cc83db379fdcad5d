//! berth-shim: one container's keeper. Speaks containerd's shim v2 protocol, so berthd and containerd can drive it.

mod args;
mod attach;
mod backlog;
mod clients;
mod clock;
mod connection;
mod console;
mod container;
mod delete;
mod event_loop;
mod events;
mod exit;
mod held;
mod info;
mod job;
mod jobs;
mod leaving;
mod log_writer;
mod options;
mod outputs;
mod process;
mod proto;
mod pump;
mod reactor;
mod rootfs;
mod runtime;
mod said;
mod shim;
mod sink;
mod socket;
mod start;
mod stats;
mod stdio;
mod streams;
mod taps;
mod task;

use std::process::ExitCode;

use args::Args;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "streams") {
        return report(streams::run(&words[1..]));
    }
    let args = match Args::parse(words) {
        Ok(args) => args,
        Err(problem) => return fail(&problem),
    };
    match args.action.as_str() {
        "start" => report(start::start(&args)),
        "delete" => report(delete::delete(&args)),
        "settle" => {
            delete::settle(&args.id);
            ExitCode::SUCCESS
        }
        "info" => report(info::info()),
        "v" | "version" => {
            println!("berth-shim {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        other => fail(&format!("unknown action {other:?}; start and delete are known")),
    }
}

fn report(result: std::io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("berth-shim: {problem}");
    ExitCode::FAILURE
}
