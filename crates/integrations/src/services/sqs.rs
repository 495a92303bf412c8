//! `sqs:sendMessage`. A `MessageBody` that is not text is sent as its JSON text.

use stepwell_asl::payload::Payload;
use stepwell_aws::Service;

use super::{call_operation, result_with_metadata};
use crate::catalog::SQS;
use crate::failure::Failure;
use crate::metadata::HeaderSet;
use crate::parameters::{Api, members};
use crate::task::TaskRequest;

pub(crate) async fn send_message(
    service: &dyn Service,
    api: &Api,
    request: &TaskRequest,
) -> Result<Payload, Failure> {
    let members = members(api, request.parameters.value())?;
    let reply = call_operation(service, &SQS, api.operation, members).await?;
    Ok(result_with_metadata(&reply, HeaderSet::Json))
}
