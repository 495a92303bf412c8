//! The values of a stack's parameters: given ones, previous ones, defaults, and SSM parameters looked up.
//!
//! Owns the checks (type, allowed values, length, pattern) and dynamic references (`{{resolve:ssm:NAME}}`).

use std::collections::BTreeMap;

use regex::RegexBuilder;
use serde_json::Value;

use crate::environment::{Parameters, StoreError};
use crate::limits::PARAMETER_VALUE_BYTES_MAX;
use crate::problem::Problem;
use crate::template::{ParameterDecl, Template};

/// The version that CDK's bootstrap template writes to SSM; the newest one when this was written.
const BOOTSTRAP_VERSION: &str = "33";

/// Given parameters: name to text. For SSM types the text is the name of the SSM parameter.
pub type Given = BTreeMap<String, String>;

/// Why parameters have no values.
#[derive(Debug)]
pub enum ParameterError {
    /// The values or their names are wrong.
    Problems(Vec<Problem>),
    /// SSM could not be asked.
    Store(StoreError),
}

/// Parameter values as functions see them, and the texts they came from.
#[derive(Debug, Clone, Default)]
pub struct Resolved {
    /// For `Ref`: text, or a list of texts.
    pub values: BTreeMap<String, Value>,
    /// The text of every parameter: given, previous or default.
    pub texts: Given,
}

/// Gives every declared parameter its value: the given text, else the previous one, else the default.
///
/// Errors: all problems: names that the template does not declare, missing values, broken constraints.
pub async fn resolve(
    template: &Template,
    given: &Given,
    previous: &Given,
    ssm: &dyn Parameters,
) -> Result<Resolved, ParameterError> {
    let mut problems = Vec::new();
    let unknown: Vec<&str> =
        given.keys().filter(|name| !template.parameters.contains_key(*name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        let message = format!("Parameters: [{}] do not exist in the template", unknown.join(", "));
        problems.push(Problem::new(message, "Parameters", 0));
    }
    let mut resolved = Resolved::default();
    let mut missing = Vec::new();
    for (name, decl) in &template.parameters {
        let text = given.get(name).or_else(|| previous.get(name)).or(decl.default.as_ref());
        let Some(text) = text else {
            missing.push(name.as_str());
            continue;
        };
        if let Err(message) = check(name, decl, text) {
            problems.push(Problem::new(message, format!("Parameters/{name}"), decl.line));
            continue;
        }
        resolved.texts.insert(name.clone(), text.clone());
        match value(decl, text, ssm).await.map_err(ParameterError::Store)? {
            Some(value) => {
                resolved.values.insert(name.clone(), value);
            }
            None => {
                let message =
                    format!("Unable to fetch parameters [{text}] from parameter store for this account.");
                problems.push(Problem::new(message, format!("Parameters/{name}"), decl.line));
            }
        }
    }
    if !missing.is_empty() {
        let message = format!("Parameters: [{}] must have values", missing.join(", "));
        problems.push(Problem::new(message, "Parameters", 0));
    }
    if problems.is_empty() { Ok(resolved) } else { Err(ParameterError::Problems(problems)) }
}

/// The value of an SSM parameter, CDK's bootstrap version included.
///
/// Errors: the store's.
pub async fn ssm_parameter(name: &str, ssm: &dyn Parameters) -> Result<Option<String>, StoreError> {
    if let Some(value) = ssm.parameter(name).await? {
        return Ok(Some(value));
    }
    let is_bootstrap = name
        .strip_prefix("/cdk-bootstrap/")
        .and_then(|rest| rest.strip_suffix("/version"))
        .is_some_and(|qualifier| !qualifier.is_empty() && !qualifier.contains('/'));
    Ok(is_bootstrap.then(|| BOOTSTRAP_VERSION.to_owned()))
}

/// The value for `Ref`; `None` where an SSM parameter does not exist.
async fn value(decl: &ParameterDecl, text: &str, ssm: &dyn Parameters) -> Result<Option<Value>, StoreError> {
    let inner = decl.kind.strip_prefix("AWS::SSM::Parameter::Value<").and_then(|rest| rest.strip_suffix('>'));
    let (kind, text) = match inner {
        None => (decl.kind.as_str(), text.to_owned()),
        Some(kind) => match ssm_parameter(text, ssm).await? {
            Some(text) => (kind, text),
            None => return Ok(None),
        },
    };
    if kind == "CommaDelimitedList" || kind.starts_with("List<") {
        let items = text.split(',').map(|item| Value::String(item.trim().to_owned()));
        return Ok(Some(if text.is_empty() { Value::Array(Vec::new()) } else { items.collect() }));
    }
    Ok(Some(Value::String(text)))
}

fn check(name: &str, decl: &ParameterDecl, text: &str) -> Result<(), String> {
    let broken = |what: String| {
        let what = decl.constraint_description.clone().unwrap_or(what);
        Err(format!("Parameter {name} failed to satisfy constraint: {what}"))
    };
    if text.len() > PARAMETER_VALUE_BYTES_MAX {
        return Err(format!("Parameter '{name}' must be at most {PARAMETER_VALUE_BYTES_MAX} bytes"));
    }
    if !is_known_kind(&decl.kind) {
        return Err(format!("Template format error: Unrecognized parameter type: {}", decl.kind));
    }
    if !decl.allowed_values.is_empty() && !decl.allowed_values.iter().any(|allowed| allowed == text) {
        return match &decl.constraint_description {
            Some(_) => broken(String::new()),
            None => Err(format!("Parameter '{name}' must be one of AllowedValues")),
        };
    }
    if decl.kind == "Number" || decl.kind == "List<Number>" {
        let numbers: Result<Vec<f64>, _> = text.split(',').map(|item| item.trim().parse::<f64>()).collect();
        let Ok(numbers) = numbers else { return Err(format!("Parameter '{name}' must be a number")) };
        if decl.range.0.is_some_and(|min| numbers.iter().any(|number| *number < min)) {
            return broken(format!(
                "Parameter {name} must be a number not less than {}",
                decl.range.0.unwrap_or(0.0)
            ));
        }
        if decl.range.1.is_some_and(|max| numbers.iter().any(|number| *number > max)) {
            let max = decl.range.1.unwrap_or(0.0);
            return broken(format!("Parameter {name} must be a number not greater than {max}"));
        }
    }
    let chars = text.chars().count() as u64;
    if let Some(min) = decl.length.0.filter(|min| chars < *min) {
        return broken(format!("Parameter {name} must contain at least {min} characters"));
    }
    if let Some(max) = decl.length.1.filter(|max| chars > *max) {
        return broken(format!("Parameter {name} must contain at most {max} characters"));
    }
    let Some(pattern) = &decl.allowed_pattern else { return Ok(()) };
    match RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(1 << 20).build() {
        Ok(regex) if regex.is_match(text) => Ok(()),
        Ok(_) => broken(format!("Parameter {name} must match pattern {pattern}")),
        Err(error) => Err(format!("The AllowedPattern of parameter {name} is not supported: {error}")),
    }
}

/// CloudFormation knows a closed list of AWS-specific types (`AWS::EC2::VPC::Id` …); any `AWS::` name is a text here.
fn is_known_kind(kind: &str) -> bool {
    let element = |kind: &str| kind == "String" || kind == "Number" || kind.starts_with("AWS::");
    match kind.strip_suffix('>') {
        None => kind == "CommaDelimitedList" || element(kind),
        Some(open) => {
            let inner =
                open.strip_prefix("List<").or_else(|| open.strip_prefix("AWS::SSM::Parameter::Value<"));
            inner.is_some_and(|inner| {
                let inner = inner.strip_prefix("List<").map_or(inner, |nested| nested.trim_end_matches('>'));
                inner == "CommaDelimitedList" || element(inner)
            })
        }
    }
}

/// Replaces `{{resolve:ssm:NAME}}` (also with `:VERSION`) in every text of `value`.
///
/// Errors: references to Secrets Manager and secure SSM parameters, which are not supported; unknown parameters.
pub async fn resolve_dynamic(value: &mut Value, ssm: &dyn Parameters) -> Result<(), String> {
    let mut names = Vec::new();
    collect_dynamic(value, &mut names);
    names.sort();
    names.dedup();
    let mut values = BTreeMap::new();
    for reference in names {
        let Some(name) = reference.strip_prefix("ssm:") else {
            return Err(format!(
                "the dynamic reference {{{{resolve:{reference}}}}} is not supported, only ssm is"
            ));
        };
        let bare = name.rsplit_once(':').filter(|(_, version)| version.bytes().all(|b| b.is_ascii_digit()));
        let found = match ssm_parameter(name, ssm).await.map_err(|error| error.to_string())? {
            Some(found) => Some(found),
            None => match bare {
                Some((bare, _)) => ssm_parameter(bare, ssm).await.map_err(|error| error.to_string())?,
                None => None,
            },
        };
        let Some(found) = found else {
            return Err(format!(
                "Unable to fetch parameters [{name}] from parameter store for this account."
            ));
        };
        values.insert(format!("{{{{resolve:{reference}}}}}"), found);
    }
    if !values.is_empty() {
        replace_dynamic(value, &values);
    }
    Ok(())
}

fn collect_dynamic(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let mut rest = text.as_str();
            while let Some(start) = rest.find("{{resolve:") {
                let inner = &rest[start + "{{resolve:".len()..];
                let Some(end) = inner.find("}}") else { break };
                names.push(inner[..end].to_owned());
                rest = &inner[end + 2..];
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_dynamic(item, names)),
        Value::Object(members) => members.values().for_each(|member| collect_dynamic(member, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn replace_dynamic(value: &mut Value, values: &BTreeMap<String, String>) {
    match value {
        Value::String(text) if text.contains("{{resolve:") => {
            for (reference, found) in values {
                *text = text.replace(reference.as_str(), found);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace_dynamic(item, values)),
        Value::Object(members) => members.values_mut().for_each(|member| replace_dynamic(member, values)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
