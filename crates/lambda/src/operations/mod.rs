//! The API's operations, apart from `Invoke`: one module per family, all of the form input structure to answer.

mod concurrency;
mod functions;
mod new_code;
mod permissions;
mod read;
mod tags;
mod versions;

use std::sync::Arc;

use serde_json::{Value, json};
use stepwell_aws::{Call, Fault, Reply};

use crate::Inner;
use crate::catalog::Entry;
use crate::invoke;
use crate::names::{self, FunctionId};
use crate::record::FunctionRecord;
use crate::validate::Input;

/// Answers one call.
pub(crate) async fn dispatch(inner: &Arc<Inner>, call: Call) -> Result<Reply, Fault> {
    if call.operation == "Invoke" {
        return invoke::invoke(inner, call).await;
    }
    let input = Input::new(&call.input)?;
    let output = match call.operation.as_str() {
        "CreateFunction" => functions::create(inner, &input).await?,
        "UpdateFunctionCode" => functions::update_code(inner, &input).await?,
        "UpdateFunctionConfiguration" => functions::update_configuration(inner, &input).await?,
        "DeleteFunction" => functions::delete(inner, &input).await?,
        "GetFunction" => read::function(inner, &input)?,
        "GetFunctionConfiguration" => read::configuration(inner, &input)?,
        "GetFunctionCodeArchive" => return read::archive(inner, &input).await,
        "GetFunctionCodeSigningConfig" => read::code_signing(inner, &input)?,
        "GetFunctionRecursionConfig" => read::recursion(inner, &input)?,
        "GetRuntimeManagementConfig" => read::runtime_management(inner, &input)?,
        "GetFunctionEventInvokeConfig" => return Err(read::no_event_invoke_config(inner, &input)?),
        "GetAccountSettings" => read::account(inner),
        "ListFunctions" => read::list(inner, &input)?,
        "PublishVersion" => versions::publish(inner, &input).await?,
        "ListVersionsByFunction" => versions::list(inner, &input)?,
        "CreateAlias" => versions::create_alias(inner, &input).await?,
        "UpdateAlias" => versions::update_alias(inner, &input).await?,
        "DeleteAlias" => versions::delete_alias(inner, &input).await?,
        "GetAlias" => versions::get_alias(inner, &input)?,
        "ListAliases" => versions::list_aliases(inner, &input)?,
        "ListEventSourceMappings" => json!({"EventSourceMappings": []}),
        "AddPermission" => permissions::add(inner, &input).await?,
        "RemovePermission" => permissions::remove(inner, &input).await?,
        "GetPolicy" => permissions::get(inner, &input)?,
        "TagResource" => tags::tag(inner, &input).await?,
        "UntagResource" => tags::untag(inner, &input).await?,
        "ListTags" => tags::list(inner, &input)?,
        "PutFunctionConcurrency" => concurrency::put(inner, &input).await?,
        "GetFunctionConcurrency" => concurrency::get(inner, &input)?,
        "DeleteFunctionConcurrency" => concurrency::delete(inner, &input).await?,
        other => return Err(Fault::unknown_operation("lambda", other)),
    };
    Ok(Reply::ok(output))
}

/// The function that the members `FunctionName` and `Qualifier` name.
fn named(inner: &Inner, input: &Input<'_>) -> Result<(FunctionId, Arc<Entry>), Fault> {
    let name = input.required_text("FunctionName")?;
    let id = names::parse(name, input.text("Qualifier")?, &inner.ground.account)?;
    let entry = inner.function(&id)?;
    Ok((id, entry))
}

/// The function's configuration as the API shows it; with the qualifier in the ARN where one was given.
fn shown(inner: &Inner, id: &FunctionId, record: &FunctionRecord) -> Value {
    let mut configuration = record.configuration(&inner.ground.account);
    if id.qualifier.is_some() {
        configuration["FunctionArn"] = json!(id.arn(&inner.ground.account));
    }
    configuration
}

/// Changes the record of a function's `$LATEST` durably; `change` works on a copy and may refuse. Only for what does
/// not change how the function runs.
async fn change<T>(
    inner: &Inner,
    id: &FunctionId,
    change: impl FnOnce(&mut FunctionRecord) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let _changing = inner.catalog.changing.lock().await;
    let mut record = FunctionRecord::clone(&*inner.latest(id)?.record());
    let result = change(&mut record)?;
    inner.catalog.put(vec![record], None).await?;
    Ok(result)
}
