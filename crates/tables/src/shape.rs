//! The JSON types of request members, checked before the library reads a request: it keeps many members as plain JSON
//! and would answer a wrong type with an error of its own.

use dynoxide::DynoxideError;
use serde_json::Value;

/// The type of a member.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Flag,
    Number,
    List,
    Structure,
}

/// How deep a request may nest; far beyond what the checks of DynamoDB itself allow, and within what reading it takes
/// of the stack.
const DEPTH_MAX: usize = 128;

const TOO_DEEP: &str = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond \
                        supported limit";

/// Members by type, as in the API model. A name has the same type in every operation.
const MEMBERS: [(Kind, &[&str]); 5] = [
    (
        Kind::Text,
        &[
            "TableName",
            "IndexName",
            "ConditionExpression",
            "UpdateExpression",
            "FilterExpression",
            "KeyConditionExpression",
            "ProjectionExpression",
            "ConditionalOperator",
            "ReturnValues",
            "ReturnValuesOnConditionCheckFailure",
            "ReturnConsumedCapacity",
            "ReturnItemCollectionMetrics",
            "Select",
            "BillingMode",
            "TableClass",
            "NextToken",
            "ClientRequestToken",
            "Statement",
            "ResourceArn",
            "StreamArn",
            "ShardId",
            "ShardIterator",
            "ShardIteratorType",
            "SequenceNumber",
            "ExclusiveStartTableName",
            "ExclusiveStartStreamArn",
            "ExclusiveStartShardId",
        ],
    ),
    (Kind::Flag, &["ConsistentRead", "ScanIndexForward", "DeletionProtectionEnabled"]),
    (Kind::Number, &["Limit", "Segment", "TotalSegments"]),
    (
        Kind::List,
        &[
            "KeySchema",
            "AttributeDefinitions",
            "GlobalSecondaryIndexes",
            "LocalSecondaryIndexes",
            "GlobalSecondaryIndexUpdates",
            "Tags",
            "TagKeys",
            "TransactItems",
            "TransactStatements",
            "Statements",
            "Parameters",
            "AttributesToGet",
        ],
    ),
    (
        Kind::Structure,
        &[
            "Item",
            "Key",
            "ExpressionAttributeNames",
            "ExpressionAttributeValues",
            "ExclusiveStartKey",
            "Expected",
            "AttributeUpdates",
            "KeyConditions",
            "QueryFilter",
            "ScanFilter",
            "RequestItems",
            "ProvisionedThroughput",
            "OnDemandThroughput",
            "StreamSpecification",
            "SSESpecification",
            "TimeToLiveSpecification",
        ],
    ),
];

/// The members of `Kind::List` whose entries are structures.
const LISTS_OF_STRUCTURES: [&str; 9] = [
    "KeySchema",
    "AttributeDefinitions",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "GlobalSecondaryIndexUpdates",
    "Tags",
    "TransactItems",
    "TransactStatements",
    "Statements",
];

/// Checks a request's structure.
pub(crate) fn check(input: &Value) -> Result<(), DynoxideError> {
    if is_too_deep(input) {
        return Err(DynoxideError::ValidationException(TOO_DEEP.to_owned()));
    }
    let Some(members) = input.as_object() else {
        return Err(mismatch(input, Kind::Structure));
    };
    for (kind, names) in MEMBERS {
        for (name, value) in names.iter().filter_map(|name| Some((name, members.get(*name)?))) {
            check_member(value, kind)?;
            let entries = value.as_array().filter(|_| LISTS_OF_STRUCTURES.contains(name));
            for entry in entries.into_iter().flatten() {
                check_member(entry, Kind::Structure)?;
            }
        }
    }
    Ok(())
}

fn check_member(value: &Value, kind: Kind) -> Result<(), DynoxideError> {
    let fits = match kind {
        Kind::Text => value.is_string(),
        // A flag may be written as a text.
        Kind::Flag => value.is_boolean() || value.is_string(),
        Kind::Number => value.is_number(),
        Kind::List => value.is_array(),
        Kind::Structure => value.is_object(),
    };
    if fits || value.is_null() { Ok(()) } else { Err(mismatch(value, kind)) }
}

/// DynamoDB's words for a value of the wrong type.
fn mismatch(value: &Value, kind: Kind) -> DynoxideError {
    let class = match kind {
        Kind::Text => "String",
        Kind::Flag => "Boolean",
        Kind::Number => "Integer",
        Kind::List | Kind::Structure => "",
    };
    let text = match (value, kind) {
        (Value::Object(_), _) => "Start of structure or map found where not expected".to_owned(),
        (Value::Array(_), Kind::Structure) => "Unrecognized collection type class java.util.Map".to_owned(),
        (_, Kind::List | Kind::Structure) => "Unexpected field type".to_owned(),
        (Value::Array(_), _) => format!("Unrecognized collection type class java.lang.{class}"),
        (Value::String(_), _) => format!("STRING_VALUE cannot be converted to {class}"),
        (Value::Bool(true), _) => format!("TRUE_VALUE cannot be converted to {class}"),
        (Value::Bool(false), _) => format!("FALSE_VALUE cannot be converted to {class}"),
        (Value::Number(number), _) if number.is_f64() => {
            format!("DECIMAL_VALUE cannot be converted to {class}")
        }
        (Value::Number(_) | Value::Null, _) => format!("NUMBER_VALUE cannot be converted to {class}"),
    };
    DynoxideError::SerializationException(text)
}

/// Whether any value lies deeper than the limit. Looks at each value once, without recursion.
fn is_too_deep(input: &Value) -> bool {
    let mut open = vec![(input, 0usize)];
    while let Some((value, depth)) = open.pop() {
        if depth > DEPTH_MAX {
            return true;
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(members) => open.extend(members.values().map(|member| (member, depth + 1))),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wrong_types_are_named_as_dynamodb_names_them() {
        for (input, text) in [
            (json!([]), "Unrecognized collection type class java.util.Map"),
            (json!({"TableName": 1}), "NUMBER_VALUE cannot be converted to String"),
            (json!({"TableName": 1.5}), "DECIMAL_VALUE cannot be converted to String"),
            (json!({"TableName": true}), "TRUE_VALUE cannot be converted to String"),
            (json!({"TableName": {}}), "Start of structure or map found where not expected"),
            (json!({"TableName": []}), "Unrecognized collection type class java.lang.String"),
            (json!({"KeySchema": "x"}), "Unexpected field type"),
            (json!({"KeySchema": ["x"]}), "Unexpected field type"),
            (json!({"Item": "x"}), "Unexpected field type"),
            (json!({"Limit": "1"}), "STRING_VALUE cannot be converted to Integer"),
        ] {
            match check(&input) {
                Err(DynoxideError::SerializationException(found)) => assert_eq!(found, text, "{input}"),
                other => panic!("{input}: {other:?}"),
            }
        }
        assert!(check(&json!({"TableName": "t", "Limit": null, "Unknown": [1]})).is_ok());
        let mut deep = json!(1);
        for _ in 0..200 {
            deep = json!([deep]);
        }
        assert!(matches!(check(&json!({"Item": deep})), Err(DynoxideError::ValidationException(_))));
    }
}
