//! The optimized integrations: the parameters that AWS documents for each, and what they may hold.
//!
//! Here only the shape of parameters matters: the interpreter lets no others into a history, and the integrations make
//! calls of them. A `null` counts as given: the service itself says what it misses.
//!
//! Source: the Developer Guide's page of each integration.

use crate::value::{Object, Value};

/// One `arn:…:states:::<resource type>:<api>`.
#[derive(Debug)]
pub struct Integration {
    /// `dynamodb`
    pub resource_type: &'static str,
    /// `getItem`
    pub api: &'static str,
    /// What it takes; AWS lets nothing else through.
    pub parameters: &'static [Parameter],
}

/// One parameter of an integration.
#[derive(Debug)]
pub struct Parameter {
    /// `TableName`
    pub name: &'static str,
    /// What it may hold besides `null`.
    pub shape: Shape,
    /// Whether a call without it is refused before it is made.
    pub is_required: bool,
}

/// What a parameter may hold besides `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Any JSON: it is sent as text.
    Any,
    /// A text, a number or a boolean.
    Text,
    /// A whole number, also as text.
    Integer,
    /// `true` or `false`, also as text.
    Boolean,
    /// An object.
    Object,
    /// An array.
    List,
    /// An object whose members are arrays.
    Lists,
}

impl Integration {
    /// The integration of a resource; `None` where this version has no parameters for it.
    pub fn find(resource_type: &str, api: &str) -> Option<&'static Integration> {
        ALL.iter().copied().find(|known| known.resource_type == resource_type && known.api == api)
    }

    /// Whether it takes a parameter of this name.
    pub fn takes(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter.name == name)
    }

    /// All that is missing or malformed in `parameters`, as AWS says it; empty where a call can be made of them.
    pub fn problems(&self, parameters: &Value) -> Vec<String> {
        match parameters.as_object() {
            Some(given) => self.parameters.iter().filter_map(|parameter| parameter.problem(given)).collect(),
            None => vec![invalid_format("Parameters")],
        }
    }
}

/// AWS's text about parameters, given as JSON text, from which no call can be made for these reasons.
pub fn unusable(parameters: &str, problems: &[String]) -> String {
    format!("The Parameters '{parameters}' could not be used to start the Task: [{}]", problems.join(", "))
}

/// AWS's reason for a value that does not fit its field.
pub fn invalid_format(field: &str) -> String {
    format!("The value of the field '{field}' has an invalid format")
}

impl Parameter {
    fn problem(&self, given: &Object) -> Option<String> {
        match given.get(self.name) {
            None => {
                self.is_required.then(|| format!("The field '{}' is required but was missing", self.name))
            }
            Some(value) if self.shape.fits(value) => None,
            Some(_) => Some(invalid_format(self.name)),
        }
    }
}

impl Shape {
    fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Shape::Any, _) | (_, Value::Null) => true,
            (Shape::Text, Value::String(_) | Value::Number(_) | Value::Bool(_)) => true,
            (Shape::Integer, Value::Number(number)) => number.as_i64().is_some(),
            (Shape::Integer, Value::String(text)) => text.parse::<i64>().is_ok(),
            (Shape::Boolean, Value::Bool(_)) => true,
            (Shape::Boolean, Value::String(text)) => text.parse::<bool>().is_ok(),
            (Shape::Object, Value::Object(_)) | (Shape::List, Value::Array(_)) => true,
            (Shape::Lists, Value::Object(members)) => {
                members.iter().all(|(_, member)| matches!(member, Value::Array(_)))
            }
            _ => false,
        }
    }
}

const fn required(name: &'static str, shape: Shape) -> Parameter {
    Parameter { name, shape, is_required: true }
}

const fn optional(name: &'static str, shape: Shape) -> Parameter {
    Parameter { name, shape, is_required: false }
}

static ALL: &[&Integration] = &[
    &LAMBDA_INVOKE,
    &DYNAMODB_GET_ITEM,
    &DYNAMODB_PUT_ITEM,
    &DYNAMODB_UPDATE_ITEM,
    &DYNAMODB_DELETE_ITEM,
    &SQS_SEND_MESSAGE,
    &SNS_PUBLISH,
    &EVENTS_PUT_EVENTS,
    &STATES_START_EXECUTION,
    &APIGATEWAY_INVOKE,
    &HTTP_INVOKE,
];

/// `lambda:invoke`
pub static LAMBDA_INVOKE: Integration = Integration {
    resource_type: "lambda",
    api: "invoke",
    parameters: &[
        required("FunctionName", Shape::Text),
        optional("ClientContext", Shape::Text),
        optional("InvocationType", Shape::Text),
        optional("LogType", Shape::Text),
        optional("Payload", Shape::Any),
        optional("Qualifier", Shape::Text),
    ],
};

/// `dynamodb:getItem`
pub static DYNAMODB_GET_ITEM: Integration = Integration {
    resource_type: "dynamodb",
    api: "getItem",
    parameters: &[
        required("Key", Shape::Object),
        required("TableName", Shape::Text),
        optional("AttributesToGet", Shape::List),
        optional("ConsistentRead", Shape::Boolean),
        optional("ExpressionAttributeNames", Shape::Object),
        optional("ProjectionExpression", Shape::Text),
        optional("ReturnConsumedCapacity", Shape::Text),
    ],
};

/// `dynamodb:putItem`
pub static DYNAMODB_PUT_ITEM: Integration = Integration {
    resource_type: "dynamodb",
    api: "putItem",
    parameters: &[
        required("Item", Shape::Object),
        required("TableName", Shape::Text),
        optional("ConditionalOperator", Shape::Text),
        optional("ConditionExpression", Shape::Text),
        optional("Expected", Shape::Object),
        optional("ExpressionAttributeNames", Shape::Object),
        optional("ExpressionAttributeValues", Shape::Object),
        optional("ReturnConsumedCapacity", Shape::Text),
        optional("ReturnItemCollectionMetrics", Shape::Text),
        optional("ReturnValues", Shape::Text),
    ],
};

/// `dynamodb:updateItem`
pub static DYNAMODB_UPDATE_ITEM: Integration = Integration {
    resource_type: "dynamodb",
    api: "updateItem",
    parameters: &[
        required("Key", Shape::Object),
        required("TableName", Shape::Text),
        optional("AttributeUpdates", Shape::Object),
        optional("ConditionalOperator", Shape::Text),
        optional("ConditionExpression", Shape::Text),
        optional("Expected", Shape::Object),
        optional("ExpressionAttributeNames", Shape::Object),
        optional("ExpressionAttributeValues", Shape::Object),
        optional("ReturnConsumedCapacity", Shape::Text),
        optional("ReturnItemCollectionMetrics", Shape::Text),
        optional("ReturnValues", Shape::Text),
        optional("UpdateExpression", Shape::Text),
    ],
};

/// `dynamodb:deleteItem`
pub static DYNAMODB_DELETE_ITEM: Integration = Integration {
    resource_type: "dynamodb",
    api: "deleteItem",
    parameters: &[
        required("Key", Shape::Object),
        required("TableName", Shape::Text),
        optional("ConditionalOperator", Shape::Text),
        optional("ConditionExpression", Shape::Text),
        optional("Expected", Shape::Object),
        optional("ExpressionAttributeNames", Shape::Object),
        optional("ExpressionAttributeValues", Shape::Object),
        optional("ReturnConsumedCapacity", Shape::Text),
        optional("ReturnItemCollectionMetrics", Shape::Text),
        optional("ReturnValues", Shape::Text),
    ],
};

/// `sqs:sendMessage`
pub static SQS_SEND_MESSAGE: Integration = Integration {
    resource_type: "sqs",
    api: "sendMessage",
    parameters: &[
        required("MessageBody", Shape::Any),
        required("QueueUrl", Shape::Text),
        optional("DelaySeconds", Shape::Integer),
        optional("MessageAttributes", Shape::Object),
        optional("MessageDeduplicationId", Shape::Text),
        optional("MessageGroupId", Shape::Text),
    ],
};

/// `sns:publish`
pub static SNS_PUBLISH: Integration = Integration {
    resource_type: "sns",
    api: "publish",
    parameters: &[
        required("Message", Shape::Any),
        optional("MessageAttributes", Shape::Object),
        optional("MessageDeduplicationId", Shape::Text),
        optional("MessageGroupId", Shape::Text),
        optional("MessageStructure", Shape::Text),
        optional("PhoneNumber", Shape::Text),
        optional("Subject", Shape::Text),
        optional("TargetArn", Shape::Text),
        optional("TopicArn", Shape::Text),
    ],
};

/// `events:putEvents`
pub static EVENTS_PUT_EVENTS: Integration = Integration {
    resource_type: "events",
    api: "putEvents",
    parameters: &[required("Entries", Shape::List)],
};

/// `states:startExecution`
pub static STATES_START_EXECUTION: Integration = Integration {
    resource_type: "states",
    api: "startExecution",
    parameters: &[
        required("StateMachineArn", Shape::Text),
        optional("Input", Shape::Any),
        optional("Name", Shape::Text),
        optional("TraceHeader", Shape::Text),
    ],
};

/// `apigateway:invoke`
pub static APIGATEWAY_INVOKE: Integration = Integration {
    resource_type: "apigateway",
    api: "invoke",
    parameters: &[
        required("ApiEndpoint", Shape::Text),
        required("Method", Shape::Text),
        optional("AllowNullValues", Shape::Boolean),
        optional("AuthType", Shape::Text),
        optional("Headers", Shape::Lists),
        optional("Path", Shape::Text),
        optional("QueryParameters", Shape::Lists),
        optional("RequestBody", Shape::Any),
        optional("Stage", Shape::Text),
    ],
};

/// `http:invoke`
pub static HTTP_INVOKE: Integration = Integration {
    resource_type: "http",
    api: "invoke",
    parameters: &[
        required("ApiEndpoint", Shape::Text),
        required("Method", Shape::Text),
        optional("Authentication", Shape::Object),
        optional("Headers", Shape::Object),
        optional("InvocationConfig", Shape::Object),
        optional("QueryParameters", Shape::Object),
        optional("RequestBody", Shape::Any),
        optional("Transform", Shape::Object),
    ],
};
