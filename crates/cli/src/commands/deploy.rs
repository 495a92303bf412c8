//! `stepwell deploy`: a cdk.out or a template onto a server.

use serde_json::json;

use crate::args::DeployArgs;
use crate::client::Client;
use crate::outcome::{CommandError, CommandResult, Outcome};
use crate::terminal::Terminal;
use crate::uploads::{self, Progress, Selection};

pub(super) async fn run(args: DeployArgs, terminal: &Terminal) -> CommandResult {
    if !args.path.is_dir() && args.stack.len() > 1 {
        return Err(CommandError::unusable("a template is one stack, so --stack can be given once"));
    }
    let assembly = uploads::read(&args.path, &Selection { stacks: args.stack, parameters: args.parameter })?;
    let client = Client::from_args(&args.endpoint)?;
    let account = uploads::account(&client).await?;
    uploads::send_assets(&client, &assembly, &account).await?;
    let progress = Progress::new(terminal, args.output.json);
    let mut outcome = Outcome::Success;
    for stack in &assembly.stacks {
        let end = uploads::deploy(&client, stack, &progress).await?;
        progress.end(&end)?;
        if end.is_err() {
            // Those that follow may need what this one was to export.
            outcome = Outcome::Failure;
            break;
        }
    }
    if args.output.json {
        terminal.data(&json!({"kind": "result", "ok": outcome == Outcome::Success}).to_string())?;
    }
    Ok(outcome)
}
