//! The table of crates in ARCHITECTURE.md says who may import whom; `cargo metadata` says who does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Crate names as the table writes them, with what each may import.
fn table(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, _, imports] = cells[..] else { return None };
        let imports = imports.split(", ").filter(|i| *i != "–").map(str::to_owned).collect();
        Some((name.trim_matches('`').to_owned(), imports))
    })
    .collect()
}

fn short(package: &str) -> String {
    match package {
        "stepwell" => "cli".to_owned(),
        other => other.trim_start_matches("stepwell-").to_owned(),
    }
}

#[test]
fn dependencies_point_as_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the map is there");
    let allowed = table(&text);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(&root)
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().expect("there are packages") {
        let name = short(package["name"].as_str().expect("a package has a name"));
        let may = allowed.get(&name).unwrap_or_else(|| panic!("{name} is missing from ARCHITECTURE.md"));
        for dependency in package["dependencies"].as_array().expect("a list") {
            let named = dependency["name"].as_str().expect("a dependency has a name");
            let pure = ["asl", "aws", "interpreter", "store", "cdk", "graph"].contains(&name.as_str());
            let runtime = ["tokio", "hyper", "axum"].contains(&named);
            assert!(dependency["kind"] == "dev" || !(pure && runtime), "{name} must not name {named}");
            // Tests may reach further: they hold crates together that must not know each other.
            if dependency["path"].is_null() || dependency["kind"] == "dev" {
                continue;
            }
            let dependency = short(dependency["name"].as_str().expect("a dependency has a name"));
            let fits = may.contains(&dependency)
                || may.contains("all but conformance")
                    && !["conformance", "xtask"].contains(&dependency.as_str());
            assert!(fits, "{name} imports {dependency}; ARCHITECTURE.md says it may import only {may:?}");
        }
        seen.insert(name);
    }
    let gone: Vec<&String> = allowed.keys().filter(|name| !seen.contains(*name)).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md describes crates that do not exist: {gone:?}");
}
