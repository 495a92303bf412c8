//! Turns botocore's service models into the archive of facts that `crates/models` reads: operations, shapes, wire
//! names, constraints, exceptions. No documentation text is taken over.
//!
//! The archive is a ZIP with one JSON document per service, named as in `aws-sdk:<service>:<api>`, whose members are
//! described by their reader, `crates/models/src/service.rs`, and `services.tsv` with the name and the `serviceId` of
//! each. The same models give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use zip::write::SimpleFileOptions;

/// The wire protocols that are understood, best first.
const PROTOCOLS: &[&str] = &["json", "rest-json", "rest-xml", "query", "ec2"];

/// Writes the archive of the models below `data`, botocore's folder of that name, to `archive`.
pub(crate) fn write(data: &Path, archive: &Path) -> Result<String, String> {
    let endpoints = read(&data.join("endpoints.json"))?;
    let mut services = BTreeMap::new();
    let mut left_out = Vec::new();
    for directory in sorted_entries(data)? {
        let Some(model) = newest_model(&directory)? else { continue };
        match service(&model, &endpoints) {
            Ok((name, facts)) => _ = services.insert(name, facts),
            Err(reason) => left_out.push(format!("{} ({reason})", directory.display())),
        }
    }
    let bytes = archived(&services).map_err(|e| format!("cannot make the archive: {e}"))?;
    std::fs::write(archive, &bytes).map_err(|e| format!("cannot write {}: {e}", archive.display()))?;
    let mut line = format!("wrote {}: {} services, {} bytes", archive.display(), services.len(), bytes.len());
    if !left_out.is_empty() {
        line.push_str(&format!("\nleft out: {}", left_out.join(", ")));
    }
    Ok(line)
}

fn archived(services: &BTreeMap<String, Value>) -> zip::result::ZipResult<Vec<u8>> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    // No time of its own, so that equal models give equal bytes.
    let options = SimpleFileOptions::default()
        .last_modified_time(zip::DateTime::default())
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(9));
    let index: Vec<String> = services
        .iter()
        .map(|(name, facts)| format!("{name}\t{}\n", facts["id"].as_str().unwrap_or_default()))
        .collect();
    writer.start_file("services.tsv", options)?;
    writer.write_all(index.concat().as_bytes())?;
    for (name, facts) in services {
        writer.start_file(format!("{name}.json"), options)?;
        writer.write_all(facts.to_string().as_bytes())?;
    }
    Ok(writer.finish()?.into_inner())
}

fn sorted_entries(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |e: std::io::Error| format!("cannot read {}: {e}", directory.display());
    let mut entries = std::fs::read_dir(directory)
        .map_err(cannot)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(cannot)?;
    entries.sort();
    Ok(entries)
}

/// The newest API version's model of a service.
fn newest_model(directory: &Path) -> Result<Option<Value>, String> {
    if !directory.is_dir() {
        return Ok(None);
    }
    for version in sorted_entries(directory)?.iter().rev() {
        for file in ["service-2.json.gz", "service-2.json"] {
            let path = version.join(file);
            if path.is_file() {
                return read(&path).map(Some);
            }
        }
    }
    Ok(None)
}

fn read(path: &Path) -> Result<Value, String> {
    let cannot = |e: std::io::Error| format!("cannot read {}: {e}", path.display());
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut text = String::new();
    if path.extension().is_some_and(|e| e == "gz") {
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).map_err(cannot)?;
    } else {
        std::io::BufReader::new(file).read_to_string(&mut text).map_err(cannot)?;
    }
    serde_json::from_str(&text).map_err(|e| format!("{} is not JSON: {e}", path.display()))
}

/// The name in `aws-sdk:<name>:<api>` and the facts.
fn service(model: &Value, endpoints: &Value) -> Result<(String, Value), String> {
    let metadata = &model["metadata"];
    let text = |name: &str| metadata[name].as_str();
    let id = text("serviceId").ok_or("no serviceId")?;
    let offered: Vec<&str> = match metadata["protocols"].as_array() {
        Some(protocols) => protocols.iter().filter_map(Value::as_str).collect(),
        None => text("protocol").into_iter().collect(),
    };
    let protocol = PROTOCOLS
        .iter()
        .find(|known| offered.contains(known))
        .ok_or_else(|| format!("speaks only {}", offered.join(", ")))?;
    let endpoint = text("endpointPrefix").ok_or("no endpointPrefix")?;
    let mut facts = Map::new();
    facts.insert("id".into(), json!(id));
    facts.insert("endpoint".into(), json!(endpoint));
    facts.insert("protocol".into(), json!(protocol));
    for (name, value) in [
        ("signing", text("signingName").filter(|name| *name != endpoint)),
        ("json_version", text("jsonVersion").filter(|_| *protocol == "json")),
        ("target", text("targetPrefix")),
        ("api_version", text("apiVersion")),
    ] {
        facts.extend(value.map(|value| (name.to_owned(), json!(value))));
    }
    if metadata["awsQueryCompatible"].is_object() {
        facts.insert("query_compatible".into(), json!(true));
    }
    facts.extend(global_endpoint(endpoint, endpoints).map(|global| ("global".to_owned(), global)));

    let operations = model["operations"].as_object().ok_or("no operations")?;
    let mut reached = Reached { shapes: &model["shapes"], names: BTreeSet::new() };
    let mut of_operations = BTreeMap::new();
    for (name, operation) in operations {
        of_operations.insert(name.clone(), operation_facts(operation, &mut reached));
    }
    let shapes: BTreeMap<&str, Value> =
        reached.names.iter().map(|name| (name.as_str(), shape_facts(&model["shapes"][name]))).collect();
    facts.insert("operations".into(), json!(of_operations));
    facts.insert("shapes".into(), json!(shapes));
    let name = id.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    Ok((name, Value::Object(facts)))
}

/// Host and signing region of a service that has one endpoint for all regions.
fn global_endpoint(endpoint: &str, endpoints: &Value) -> Option<Value> {
    let partition = endpoints["partitions"].as_array()?.iter().find(|p| p["partition"] == "aws")?;
    let service = &partition["services"][endpoint];
    if service["isRegionalized"] != false {
        return None;
    }
    let of_partition = &service["endpoints"][service["partitionEndpoint"].as_str()?];
    Some(json!([of_partition["hostname"].as_str()?, of_partition["credentialScope"]["region"].as_str()?]))
}

/// The shapes that operations lead to.
struct Reached<'a> {
    shapes: &'a Value,
    names: BTreeSet<String>,
}

impl Reached<'_> {
    fn add(&mut self, name: &str) {
        let mut left = vec![name.to_owned()];
        while let Some(name) = left.pop() {
            let shape = &self.shapes[&name];
            if !self.names.insert(name) {
                continue;
            }
            let members = shape["members"].as_object().into_iter().flat_map(Map::values);
            let parts = members.chain([&shape["member"], &shape["key"], &shape["value"]]);
            left.extend(parts.filter_map(|part| part["shape"].as_str().map(str::to_owned)));
        }
    }
}

fn operation_facts(operation: &Value, reached: &mut Reached<'_>) -> Value {
    let mut facts = Map::new();
    let http = &operation["http"];
    facts.insert("method".into(), http["method"].as_str().unwrap_or("POST").into());
    facts.insert("uri".into(), http["requestUri"].as_str().unwrap_or("/").into());
    for part in ["input", "output"] {
        if operation[part].is_object() {
            facts.insert(part.into(), reference(&operation[part]));
            reached.add(operation[part]["shape"].as_str().unwrap_or_default());
        }
    }
    for error in operation["errors"].as_array().into_iter().flatten() {
        reached.add(error["shape"].as_str().unwrap_or_default());
    }
    if let Some(wrapper) = operation["output"]["resultWrapper"].as_str() {
        facts.insert("wrapper".into(), json!(wrapper));
    }
    if let Some(prefix) = operation["endpoint"]["hostPrefix"].as_str() {
        facts.insert("host_prefix".into(), json!(prefix));
    }
    if operation["httpChecksumRequired"] == true
        || operation["httpChecksum"]["requestChecksumRequired"] == true
    {
        facts.insert("checksum".into(), json!(true));
    }
    if operation["authtype"] == "none" {
        facts.insert("unsigned".into(), json!(true));
    }
    Value::Object(facts)
}

/// What a member, an element, a key or a value says about itself beside its shape's name.
fn reference(of: &Value) -> Value {
    let mut facts = Map::new();
    facts.insert("s".into(), of["shape"].clone());
    for (name, short) in [
        ("location", "l"),
        ("locationName", "n"),
        ("queryName", "q"),
        ("timestampFormat", "ts"),
        ("flattened", "f"),
        ("xmlAttribute", "a"),
        ("idempotencyToken", "it"),
        ("jsonvalue", "j"),
        ("streaming", "st"),
    ] {
        if !of[name].is_null() && of[name] != false {
            facts.insert(short.into(), of[name].clone());
        }
    }
    if let Some(uri) = of["xmlNamespace"]["uri"].as_str() {
        facts.insert("ns".into(), json!([uri, of["xmlNamespace"]["prefix"].as_str()]));
    }
    if let (1, Some(name)) = (facts.len(), of["shape"].as_str()) {
        return json!(name);
    }
    Value::Object(facts)
}

fn shape_facts(shape: &Value) -> Value {
    let mut facts = Map::new();
    facts.insert("t".into(), shape["type"].clone());
    if let Some(members) = shape["members"].as_object() {
        let members: Map<_, _> = members.iter().map(|(name, of)| (name.clone(), reference(of))).collect();
        facts.insert("m".into(), Value::Object(members));
    }
    for (name, short) in [("member", "e"), ("key", "k"), ("value", "v")] {
        if shape[name].is_object() {
            facts.insert(short.into(), reference(&shape[name]));
        }
    }
    for (name, short) in [
        ("required", "r"),
        ("payload", "p"),
        ("flattened", "f"),
        ("timestampFormat", "ts"),
        ("locationName", "n"),
        ("enum", "enum"),
        ("min", "min"),
        ("max", "max"),
        ("streaming", "st"),
        ("eventstream", "es"),
    ] {
        let fact = &shape[name];
        let says_nothing = fact.is_null() || *fact == false || fact.as_array().is_some_and(Vec::is_empty);
        if !says_nothing {
            facts.insert(short.into(), fact.clone());
        }
    }
    if let Some(uri) = shape["xmlNamespace"]["uri"].as_str() {
        facts.insert("ns".into(), json!([uri, shape["xmlNamespace"]["prefix"].as_str()]));
    }
    if shape["exception"] == true {
        facts.insert("x".into(), shape["error"]["code"].as_str().map_or(json!(true), |code| json!(code)));
    }
    Value::Object(facts)
}
