//! One file per command. Each takes its arguments, speaks to a server (or reads files) and prints.

mod bench;
mod deploy;
mod env;
mod executions;
mod graph;
mod machines;
mod run;
mod serve;
mod stacks;
mod validate;
mod version;

use crate::args::Command;
use crate::outcome::CommandResult;
use crate::terminal::Terminal;

/// Runs the command.
pub(crate) async fn dispatch(command: Command, terminal: &Terminal) -> CommandResult {
    match command {
        Command::Serve(args) => serve::run(args, terminal).await,
        Command::Deploy(args) => deploy::run(args, terminal).await,
        Command::Stacks(command) => stacks::run(command, terminal).await,
        Command::Run(args) => run::run(args, terminal).await,
        Command::Executions(command) => executions::run(command, terminal).await,
        Command::Machines(command) => machines::run(command, terminal).await,
        Command::Validate(args) => validate::run(args, terminal).await,
        Command::Graph(args) => graph::run(args, terminal).await,
        Command::Env(args) => env::run(args, terminal).await,
        Command::Bench(args) => bench::run(args, terminal).await,
        Command::BenchEcho(_) => bench::echo::run(terminal).await,
        Command::Version(args) => version::run(args, terminal),
    }
}
