//! The pictures of known definitions, compared with the files in `golden/`.
//!
//! With `STEPWELL_BLESS=1` in the environment the files are written instead; look at them before committing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use stepwell_graph::{ColorScheme, Graph, StateStatus, SvgOptions};

const EXAMPLES: [&str; 5] = [
    "job-poller",
    "lambda-iteration",
    "lambda-iteration-loop",
    "transfer-data-records",
    "transfer-data-records-sqs",
];
const DEFINITIONS: [&str; 7] = [
    "awkward-names",
    "distributed-map",
    "jsonata",
    "loop-around-frames",
    "nested-maps",
    "order-processing",
    "parallel",
];

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn definitions() -> Vec<(String, Graph)> {
    let examples =
        EXAMPLES.map(|name| (name, folder().join("../../examples").join(name).join("workflow.asl.json")));
    let own =
        DEFINITIONS.map(|name| (name, folder().join("tests/definitions").join(format!("{name}.asl.json"))));
    examples.into_iter().chain(own).map(|(name, path)| (name.to_owned(), graph(&path))).collect()
}

fn graph(path: &Path) -> Graph {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let program = stepwell_asl::compile(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Graph::from_program(&program)
}

fn check(name: &str, ending: &str, text: &str) {
    let path: PathBuf = folder().join("tests/golden").join(format!("{name}.{ending}"));
    if std::env::var_os("STEPWELL_BLESS").is_some() {
        fs::write(&path, text).expect("a writable golden file");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{} differs; look, then run with STEPWELL_BLESS=1", path.display());
}

#[test]
fn mermaid() {
    for (name, graph) in definitions() {
        check(&name, "mmd", &graph.to_mermaid());
    }
}

#[test]
fn svg() {
    for (name, graph) in definitions() {
        let svg = graph.to_svg(&SvgOptions { title: Some(name.clone()), ..SvgOptions::default() });
        check(&name, "svg", &svg);
    }
}

#[test]
fn svg_of_an_execution() {
    let statuses = [
        ("Reserve stock", StateStatus::Succeeded),
        ("Wait for stock", StateStatus::Entered),
        ("Charge card", StateStatus::CaughtError),
        ("Give stock back", StateStatus::InProgress),
        ("Refused", StateStatus::Failed),
    ];
    check_execution("execution", "order-processing", statuses);
}

#[test]
fn svg_of_an_execution_inside_of_frames() {
    let statuses = [
        ("Each order", StateStatus::InProgress),
        ("Check order", StateStatus::Succeeded),
        ("Each parcel", StateStatus::Failed),
        ("Weigh", StateStatus::Failed),
    ];
    check_execution("execution-in-frames", "nested-maps", statuses);
}

fn check_execution<const N: usize>(name: &str, definition: &str, statuses: [(&str, StateStatus); N]) {
    let graph = graph(&folder().join("tests/definitions").join(format!("{definition}.asl.json")));
    let statuses = BTreeMap::from(statuses.map(|(name, status)| (name.to_owned(), status)));
    let options =
        SvgOptions { title: Some("An execution".into()), statuses, color_scheme: ColorScheme::Dark };
    check(name, "svg", &graph.to_svg(&options));
}
