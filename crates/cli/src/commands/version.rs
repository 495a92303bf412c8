//! `stepwell version`.

use serde_json::json;

use crate::args::JsonArgs;
use crate::outcome::{CommandResult, Outcome};
use crate::terminal::Terminal;

pub(super) fn run(args: JsonArgs, terminal: &Terminal) -> CommandResult {
    let version = env!("CARGO_PKG_VERSION");
    if args.json {
        terminal.data(&json!({"name": "stepwell", "version": version}).to_string())?;
    } else {
        terminal.data(&format!("stepwell {version}"))?;
    }
    Ok(Outcome::Success)
}
