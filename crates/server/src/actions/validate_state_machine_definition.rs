//! ValidateStateMachineDefinition: all findings about a definition, without making anything.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use stepwell_asl::{Diagnostic, Severity, validate};
use stepwell_aws::Fault;

use super::create_state_machine::machine_type;
use crate::page;
use crate::states::{StepFunctions, read_input};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    definition: String,
    #[serde(rename = "type")]
    machine_type: Option<String>,
    severity: Option<String>,
    max_results: Option<f64>,
}

pub(super) async fn run(context: StepFunctions, input: Value) -> Result<Value, Fault> {
    let input: Input = read_input(input)?;
    let machine_type = machine_type(input.machine_type.as_deref());
    let definition = input.definition;
    let found = context.blocking(move |_| Ok(validate(&definition, machine_type))).await?;
    let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
    let with_warnings = input.severity.as_deref() == Some("WARNING");
    let shown: Vec<&Diagnostic> = found.iter().filter(|d| with_warnings || is_error(d)).collect();
    let size = page::size(input.max_results);
    Ok(json!({
        "result": if found.iter().any(is_error) { "FAIL" } else { "OK" },
        "diagnostics": shown.iter().take(size).map(|d| finding(d)).collect::<Vec<_>>(),
        "truncated": shown.len() > size,
    }))
}

fn finding(diagnostic: &Diagnostic) -> Value {
    let mut finding = Map::new();
    finding.insert("severity".into(), diagnostic.severity.as_str().into());
    finding.insert("code".into(), diagnostic.code.into());
    finding.insert("message".into(), diagnostic.message.as_str().into());
    if let Some(location) = &diagnostic.location {
        finding.insert("location".into(), location.as_str().into());
    }
    Value::Object(finding)
}
