//! The Lambda functions of the recordings: each does what its case says.

use std::sync::Arc;

use serde_json::{Value, json};
use stepwell_aws::{BoxFuture, Call, Fault, Reply, Service};
use stepwell_integrations::Integrations;

/// The one function of a case.
struct Function(Value);

/// Tasks that call the function of a case, if it has one.
pub(crate) fn runner(case: &Value) -> Arc<Integrations> {
    let integrations = Integrations::new();
    if let Some(mock) = case["mocks"].get(0) {
        integrations.register(Arc::new(Function(mock.clone())));
    }
    Arc::new(integrations)
}

impl Service for Function {
    fn name(&self) -> &'static str {
        "lambda"
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        let mut reply = Reply::empty();
        reply.headers.push(("X-Amz-Executed-Version".into(), "$LATEST".into()));
        let mock = &self.0;
        reply.body = Some(match mock["behaviour"].as_str() {
            Some("identity") => call.body,
            Some("return") => mock["value"].to_string().into(),
            Some("raise") => {
                reply.headers.push(("X-Amz-Function-Error".into(), "Unhandled".into()));
                let id = "6ea3fa49-a0d4-4d5c-b0a5-a3ad3a1dbbbf";
                let error = json!({
                    "errorMessage": mock["message"], "errorType": mock["error_type"], "requestId": id,
                    "stackTrace": mock["stack_trace"],
                });
                error.to_string().into()
            }
            other => panic!("a function that does {other:?}"),
        });
        Box::pin(async move { Ok(reply) })
    }
}
