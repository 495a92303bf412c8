//! What the fuzzer once choked on, and the texts it starts from: `inputs/<target>/*`, run without a fuzzer. Each must
//! pass, and none may take long. And warnings, whose claims are tried with what the fuzzer tries.

// Inputs, recordings and examples are files; the crate itself reads none.
#![allow(clippy::disallowed_methods)]
// A failure is of the input named last; what is skipped says so.
#![allow(clippy::print_stdout)]

mod language;
mod warnings;

use std::path::Path;

/// Runs every input of `target` through `check`.
fn run(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzzed/inputs").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no inputs for {target}");
    for file in files {
        println!("{}", file.display());
        check(&std::fs::read(&file).unwrap());
    }
}

#[test]
fn definition() {
    run("definition", language::definition);
}

#[test]
fn json() {
    run("json", language::json);
}

#[test]
fn path() {
    run("path", language::path);
}

#[test]
fn intrinsic() {
    run("intrinsic", language::intrinsic);
}

#[test]
fn jsonata() {
    run("jsonata", language::jsonata);
}

#[test]
fn template() {
    run("template", language::template);
}

#[test]
fn choice() {
    run("choice", language::choice);
}
