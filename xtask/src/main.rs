//! Chores of the workspace that are programs rather than shell lines: `cargo run -p xtask -- <chore>`.
//!
//! Owns what is generated and checked in; the crates read only the results.

mod api_model;
mod aws_models;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo run -p xtask -- api-model SERVICE_2_JSON [--check]
       cargo run -p xtask -- aws-models BOTOCORE_DATA

  api-model   write crates/server/src/model/stepfunctions.tsv from an AWS service model;
              with --check only say whether it is up to date
  aws-models  write crates/models/data/services.zip from the models that botocore brings along:
              $(python3 -c 'import botocore; print(botocore.__path__[0])')/data";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["api-model", model] => api_model::write(Path::new(model), &table_path()),
        ["api-model", model, "--check"] => api_model::check(Path::new(model), &table_path()),
        ["aws-models", data] => aws_models::write(Path::new(data), &archive_path()),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(line) => {
            say(&mut std::io::stdout(), &line);
            ExitCode::SUCCESS
        }
        Err(line) => {
            say(&mut std::io::stderr(), &line);
            ExitCode::FAILURE
        }
    }
}

fn say(to: &mut impl std::io::Write, line: &str) {
    // Nobody can be told when even this does not arrive.
    let _ = writeln!(to, "{line}");
}

fn table_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/server/src/model/stepfunctions.tsv")
}

fn archive_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/models/data/services.zip")
}
