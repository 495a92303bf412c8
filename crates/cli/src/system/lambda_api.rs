//! Lambda's REST API on the port: the server's seam on one side, Lambda's own bindings on the other.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use stepwell_aws::{BoxFuture, Fault, Service};
use stepwell_lambda::rest;
use stepwell_server::RestService;

/// Bytes of a CreateFunction or UpdateFunctionCode request: a zip of 50 MB, in base64, and its envelope. Source: Lambda
/// quotas, "Deployment package".
const CODE_BYTES_MAX: usize = 70 * 1024 * 1024;

/// Lambda, embedded or elsewhere, behind its REST API.
pub(crate) struct LambdaApi {
    lambda: Arc<dyn Service>,
}

impl LambdaApi {
    pub(crate) fn new(lambda: Arc<dyn Service>) -> Self {
        LambdaApi { lambda }
    }
}

impl RestService for LambdaApi {
    fn signing_name(&self) -> &'static str {
        "lambda"
    }

    fn handles(&self, method: &Method, path: &str) -> bool {
        // A path of Lambda's that means nothing is Lambda's to refuse.
        rest::route(method.as_str(), path).is_some() || path.starts_with("/2015-03-31/functions")
    }

    fn body_bytes_max(&self, method: &Method, path: &str) -> usize {
        match rest::route(method.as_str(), path) {
            Some(route) if matches!(route.binding.operation, "CreateFunction" | "UpdateFunctionCode") => {
                CODE_BYTES_MAX
            }
            _ => stepwell_server::BODY_BYTES_MAX,
        }
    }

    fn operation(&self, method: &Method, path: &str) -> (&'static str, &'static str) {
        ("lambda", rest::route(method.as_str(), path).map_or("other", |route| route.binding.operation))
    }

    fn handle(&self, head: Parts, body: Bytes) -> BoxFuture<'_, (StatusCode, HeaderMap, Bytes)> {
        Box::pin(async move {
            let Some(route) = rest::route(head.method.as_str(), head.uri.path()) else {
                let operation = format!("{} {}", head.method, head.uri.path());
                return rest::fault(&Fault::unknown_operation("Lambda", &operation).with_status(404));
            };
            let query = head.uri.query().unwrap_or_default();
            let call = match rest::call(&route, query, &head.headers, body) {
                Ok(call) => call,
                Err(fault) => return rest::fault(&fault),
            };
            match self.lambda.call(call).await {
                Ok(reply) => rest::reply(route.binding.operation, &reply),
                Err(fault) => rest::fault(&fault),
            }
        })
    }
}
