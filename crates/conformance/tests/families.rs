//! Every recorded execution, family by family. What differs, and what this version does not reach, is listed in
//! `differences.txt`, with the reason; an entry that is no longer true fails the test as much as a new difference.

#![allow(clippy::print_stdout, reason = "the counts are what a reader of the test run looks for")]

use std::collections::BTreeMap;
use std::path::Path;

use stepwell_conformance::{case, compare, run};

/// How one case went.
enum Verdict {
    Passed,
    Unreached(String),
    Differs(String),
}

fn verdict(case: &case::Case) -> Verdict {
    match run::run(case) {
        Err(run::Unreached::Definition(reason) | run::Unreached::Task(reason)) => Verdict::Unreached(reason),
        Ok(ran) => match compare::difference(case, &ran) {
            None => Verdict::Passed,
            Some(difference) => Verdict::Differs(difference),
        },
    }
}

/// `differences.txt`: an id, a tab, the reason; `#` begins a comment.
fn known_differences() -> BTreeMap<String, String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differences.txt");
    let text = std::fs::read_to_string(file).expect("the list is there");
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.split_once('\t').expect("an id, a tab, a reason"))
        .map(|(id, reason)| (id.to_owned(), reason.to_owned()))
        .collect()
}

#[test]
fn recorded_executions() {
    let Some(folder) = case::recordings() else {
        println!("SKIPPED: ../shared/conformance is not beside this checkout");
        return;
    };
    let mut known = known_differences();
    let verbose = std::env::var_os("CONFORMANCE_VERBOSE").is_some();
    let mut families: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder is readable")
        .map(|entry| entry.expect("is readable"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    families.sort();
    let (mut all_passed, mut all_total) = (0, 0);
    let mut surprises = Vec::new();
    for family in families {
        let cases = case::executions(&family);
        if cases.is_empty() {
            continue;
        }
        let (mut passed, mut unreached) = (0, 0);
        for case in &cases {
            let listed = known.remove(&case.id);
            match (verdict(case), listed) {
                (Verdict::Passed, None) => passed += 1,
                (Verdict::Passed, Some(_)) => surprises.push(format!("{}: passes, but is listed", case.id)),
                (Verdict::Unreached(reason), listed) => {
                    unreached += 1;
                    if verbose || listed.is_none() {
                        surprises.push(format!("{}: not reached: {reason}", case.id));
                    }
                }
                (Verdict::Differs(difference), listed) => {
                    if verbose || listed.is_none() {
                        surprises.push(format!("{}: {difference}", case.id));
                    }
                }
            }
        }
        println!("{family}: {passed}/{} ({unreached} not reached)", cases.len());
        all_passed += passed;
        all_total += cases.len();
    }
    println!("all: {all_passed}/{all_total}");
    surprises.extend(known.into_keys().map(|id| format!("{id}: is listed, but there is no such case")));
    assert!(surprises.is_empty(), "{} surprises:\n{}", surprises.len(), surprises.join("\n"));
}
