//! ARNs: the library's own stand for a fixed region and account; outside they are those of the configured account.

use serde_json::Value;
use stepwell_aws::Account;

/// How the library's ARNs begin.
const THEIRS: &str = "arn:aws:dynamodb:dynoxide:000000000000:";

/// The members of answers that hold an ARN of a table, an index or a stream.
const MEMBERS: [&str; 7] = [
    "TableArn",
    "IndexArn",
    "LatestStreamArn",
    "StreamArn",
    "LastEvaluatedStreamArn",
    "ResourceArn",
    "eventSourceARN",
];

/// Whether answers to `operation` hold ARNs. Those of the data operations do not, and hold items, in which nothing may
/// be touched.
fn has_arns(operation: &str) -> bool {
    matches!(
        operation,
        "CreateTable" | "DeleteTable" | "DescribeTable" | "UpdateTable" | "ListStreams" | "DescribeStream"
    )
}

/// How our ARNs begin.
fn ours(account: &Account) -> String {
    account.arn("dynamodb", "")
}

/// Gives the ARNs in the answer to `operation` our account.
pub(crate) fn rewrite_output(operation: &str, output: &mut Value, account: &Account) {
    if has_arns(operation) {
        rewrite(output, THEIRS, &ours(account));
    }
}

/// The same for a text to the user.
pub(crate) fn rewrite_text(text: &str, account: &Account) -> String {
    text.replace(THEIRS, &ours(account))
}

/// Gives the ARNs that a request names the library's account, and a table named by its ARN its name. ARNs of other
/// accounts stay as they are, and name nothing.
pub(crate) fn rewrite_input(input: &mut Value, account: &Account) {
    let ours = ours(account);
    let Some(members) = input.as_object_mut() else { return };
    for name in ["ResourceArn", "StreamArn", "ExclusiveStartStreamArn"] {
        if let Some(Value::String(arn)) = members.get_mut(name) {
            replace_prefix(arn, &ours, THEIRS);
        }
    }
    name_table(members.get_mut("TableName"), &ours);
    for item in members.get_mut("TransactItems").and_then(Value::as_array_mut).into_iter().flatten() {
        for action in item.as_object_mut().into_iter().flat_map(|item| item.values_mut()) {
            name_table(action.get_mut("TableName"), &ours);
        }
    }
}

/// `TableName` may hold the table's ARN.
fn name_table(member: Option<&mut Value>, ours: &str) {
    if let Some(Value::String(name)) = member
        && let Some(table) = name.strip_prefix(ours).and_then(|resource| resource.strip_prefix("table/"))
    {
        *name = table.to_owned();
    }
}

fn rewrite(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match member {
                    Value::String(arn) if MEMBERS.contains(&name.as_str()) => replace_prefix(arn, from, to),
                    member => rewrite(member, from, to),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, from, to)),
        _ => {}
    }
}

fn replace_prefix(arn: &mut String, from: &str, to: &str) {
    if arn.starts_with(from) {
        arn.replace_range(..from.len(), to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arns_get_our_account_and_items_stay() {
        let account =
            Account { partition: "aws-cn".into(), region: "cn-north-1".into(), id: "123456789012".into() };
        let theirs = format!("{THEIRS}table/t");
        let mut output =
            json!({"Table": {"TableArn": theirs, "Indexes": [{"IndexArn": theirs}], "Other": theirs}});
        rewrite_output("DescribeTable", &mut output, &account);
        let ours = "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/t";
        assert_eq!(
            output,
            json!({"Table": {"TableArn": ours, "Indexes": [{"IndexArn": ours}], "Other": theirs}})
        );
        let mut item = json!({"Item": {"TableArn": {"S": theirs}}});
        rewrite_output("GetItem", &mut item, &account);
        assert_eq!(item["Item"]["TableArn"]["S"], theirs);

        let mut input = json!({
            "TableName": ours,
            "ResourceArn": ours,
            "TransactItems": [{"Put": {"TableName": ours}}, {"Get": {"TableName": "plain"}}, 7],
        });
        rewrite_input(&mut input, &account);
        assert_eq!(input["TableName"], "t");
        assert_eq!(input["ResourceArn"], theirs);
        assert_eq!(input["TransactItems"][0]["Put"]["TableName"], "t");
    }
}
