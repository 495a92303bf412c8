//! `dynamodb:getItem`, `putItem`, `updateItem`, `deleteItem`: parameters and answers are the API's own.

use stepwell_asl::payload::Payload;
use stepwell_aws::Service;

use super::{call_operation, result_with_metadata};
use crate::catalog::DYNAMODB;
use crate::failure::Failure;
use crate::metadata::HeaderSet;
use crate::parameters::{Api, members};
use crate::task::TaskRequest;

pub(crate) async fn call(
    service: &dyn Service,
    api: &Api,
    request: &TaskRequest,
) -> Result<Payload, Failure> {
    let members = members(api, request.parameters.value())?;
    let reply = call_operation(service, &DYNAMODB, api.operation, members).await?;
    Ok(result_with_metadata(&reply, HeaderSet::DynamoDb))
}
