//! The `stepwell` binary: every part of Stepwell wired into one process, and the commands that people type.
//!
//! Two halves. [`system`] is the server: it opens a data directory and starts the store, the embedded services, the
//! engine and the port; embedders and tests start it in their own process. The command line is the rest: [`args`] says
//! what can be typed, `commands/` has one file per verb, and all of them reach a server only through its public API.
//!
//! This crate owns wiring and how things look in a terminal. It decides nothing about how workflows run, what AWS
//! answers or what a template means.

pub mod args;
pub mod system;

mod client;
mod commands;
mod definition;
mod history;
mod keys;
mod live;
mod outcome;
mod table;
mod terminal;
mod time;
mod uploads;

use std::process::ExitCode;

use clap::Parser as _;

pub use system::{System, SystemError, SystemOptions};

/// What `main` does: reads the command line and runs its command. Exit codes: 0 success; 1 an execution, a validation or
/// a deployment failed; 2 the command could not be carried out (usage, files, connection).
#[must_use]
pub fn run_command_line() -> ExitCode {
    let arguments = args::Arguments::parse();
    let terminal = terminal::Terminal::from_environment();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = outcome::CommandError::unusable(format!("no threads can be started: {error}"));
            return outcome::report(&terminal, Err(error));
        }
    };
    let result = runtime.block_on(commands::dispatch(arguments.command, &terminal));
    // Work that is blocked in a system call must not keep a finished command from ending; an impatient user waits for
    // nothing at all.
    let is_interrupted = matches!(result, Ok(outcome::Outcome::Interrupted));
    runtime.shutdown_timeout(std::time::Duration::from_secs(if is_interrupted { 0 } else { 2 }));
    outcome::report(&terminal, result)
}
