//! A function's policy: recorded and shown, not enforced.

use serde_json::{Map, Value, json};
use stepwell_aws::Fault;

use super::{change, named};
use crate::Inner;
use crate::faults;
use crate::record::Statement;
use crate::validate::{Input, Problems};

/// A policy's size, AWS's limit.
const POLICY_BYTES_MAX: usize = 20_480;

pub(super) async fn add(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    let sid = input.required_text("StatementId")?;
    let action = input.required_text("Action")?;
    let principal = input.required_text("Principal")?;
    let mut problems = Problems::new();
    problems.length("statementId", sid, 1, 100);
    if !sid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        problems.pattern("statementId", sid, "([a-zA-Z0-9-_]+)");
    }
    let known_action = action == "*" || action.strip_prefix("lambda:").is_some_and(|a| !a.is_empty());
    if !known_action {
        problems.pattern("action", action, "(lambda:[*]|lambda:[a-zA-Z]+|[*])");
    }
    problems.fault()?;
    let statement = json!({
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal_of(principal, &inner.ground.account.partition),
        "Action": action,
        "Resource": id.arn(&inner.ground.account),
    });
    let statement = with_conditions(statement, input)?;
    let text = statement.to_string();
    let qualifier = id.qualifier.clone();
    change(inner, &id, |record| {
        if record.policy.iter().any(|s| s.sid == sid && s.qualifier == qualifier) {
            return Err(faults::conflict(format!(
                "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the \
                 existing statement."
            )));
        }
        let size: usize = record.policy.iter().map(|s| s.text.to_string().len()).sum();
        if size + text.len() > POLICY_BYTES_MAX {
            return Err(Fault::new(
                "PolicyLengthExceededException",
                format!("The final policy size ({}) is bigger than the limit ({POLICY_BYTES_MAX}).", size + text.len()),
            ));
        }
        record.policy.push(Statement { sid: sid.to_owned(), qualifier, text: statement });
        Ok(())
    })
    .await?;
    Ok(json!({ "Statement": text }))
}

fn principal_of(principal: &str, partition: &str) -> Value {
    match principal {
        "*" => json!("*"),
        id if id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()) => {
            json!({"AWS": format!("arn:{partition}:iam::{id}:root")})
        }
        arn if arn.starts_with("arn:") => json!({ "AWS": arn }),
        service => json!({ "Service": service }),
    }
}

fn with_conditions(mut statement: Value, input: &Input<'_>) -> Result<Value, Fault> {
    let members = [
        ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
        ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
        ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
        ("SourceArn", "ArnLike", "AWS:SourceArn"),
    ];
    let mut conditions = Map::new();
    for (member, operator, key) in members {
        if let Some(value) = input.text(member)? {
            let entry = conditions.entry(operator).or_insert_with(|| json!({}));
            entry[key] = json!(value);
        }
    }
    if !conditions.is_empty() {
        statement["Condition"] = Value::Object(conditions);
    }
    Ok(statement)
}

pub(super) async fn remove(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    let sid = input.required_text("StatementId")?;
    change(inner, &id, |record| {
        let before = record.policy.len();
        record.policy.retain(|s| s.sid != sid || s.qualifier != id.qualifier);
        if record.policy.len() == before {
            return Err(faults::resource_not_found(format!(
                "Statement {sid} is not found in resource policy."
            )));
        }
        Ok(json!({}))
    })
    .await
}

pub(super) fn get(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    let record = inner.latest(&id)?.record();
    let statements: Vec<&Value> =
        record.policy.iter().filter(|s| s.qualifier == id.qualifier).map(|s| &s.text).collect();
    if statements.is_empty() {
        return Err(faults::resource_not_found("The resource you requested does not exist."));
    }
    let policy = json!({"Version": "2012-10-17", "Id": "default", "Statement": statements});
    Ok(json!({"Policy": policy.to_string(), "RevisionId": record.revision_id}))
}
