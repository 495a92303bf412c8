//! `Task` states.

use super::container::Siblings;
use super::fields::{Fields, SECONDS_MAX};
use super::query::{AFTER, BEFORE};
use super::{Compiler, MachineType, resource};
use crate::program::{IntegrationPattern, Resource, ResourceKind, SecondsField, StateId, Task};
use crate::template::Template;

impl Compiler {
    pub(super) fn task(&mut self, fields: &Fields<'_>, id: StateId, siblings: &mut Siblings) -> Option<Task> {
        self.require(fields, &["Resource"]);
        let resource = self.resource(fields);
        let input_path = self.path_field(fields, "InputPath");
        let parameters = self.template(fields, "Parameters");
        let arguments = self.query(fields, "Arguments", BEFORE);
        let credentials = self.credentials(fields);
        let result_selector = self.template(fields, "ResultSelector");
        let result_path = self.result_path(fields);
        let output_path = self.path_field(fields, "OutputPath");
        let output = self.query(fields, "Output", AFTER);
        let assign = self.assign(fields, AFTER);
        let timeout = self.seconds(fields, "TimeoutSeconds", "TimeoutSecondsPath");
        let heartbeat = self.seconds(fields, "HeartbeatSeconds", "HeartbeatSecondsPath");
        if let (Some(SecondsField::Literal(timeout)), Some(SecondsField::Literal(heartbeat))) =
            (&timeout, &heartbeat)
            && heartbeat >= timeout
        {
            let message = "HeartbeatSeconds must be smaller than TimeoutSeconds";
            self.report.schema(fields.at_field("HeartbeatSeconds"), fields.span("HeartbeatSeconds"), message);
        }
        let retry = self.retry(fields);
        let catch = self.catch(fields, id, siblings);
        let transition = self.transition(fields, id, siblings);
        let resource = resource?;
        self.warn_about_missing_token(fields, parameters.as_ref().or(arguments.as_ref()), &resource.kind);
        Some(Task {
            resource,
            input_path,
            parameters,
            arguments,
            credentials,
            result_selector,
            result_path,
            output_path,
            output,
            assign,
            timeout,
            heartbeat,
            retry,
            catch,
            transition: transition?,
        })
    }

    fn resource(&mut self, fields: &Fields<'_>) -> Option<Resource> {
        let arn = self.string(fields, "Resource")?;
        let at = fields.at_field("Resource");
        let Some(kind) = resource::parse(&arn) else {
            let message = format!(
                "The resource provided {arn} is not recognized. The value is not a valid resource ARN, or the \
                 resource is not available in this region."
            );
            self.report.schema(at, fields.span("Resource"), message);
            return None;
        };
        if self.machine_type == MachineType::Express
            && let Some(message) = express_refuses(&kind)
        {
            self.report.schema(at, fields.span("Resource"), message);
        }
        Some(Resource { arn, kind })
    }

    fn credentials(&mut self, fields: &Fields<'_>) -> Option<Template> {
        let credentials = self.object(fields, "Credentials")?;
        if !credentials.has("RoleArn") && !credentials.has("RoleArn.$") {
            let message = "The field 'RoleArn' is required but was missing";
            self.report.schema(credentials.at(), credentials.own_span(), message);
        }
        self.template_or_query(fields, "Credentials", BEFORE)
    }

    /// A literal number of seconds or its `…Path` variant.
    fn seconds(&mut self, fields: &Fields<'_>, name: &str, path_name: &str) -> Option<SecondsField> {
        self.exclusive(fields, name, path_name);
        if self.holds_expression(fields, name) {
            return self.query(fields, name, BEFORE).map(SecondsField::Query);
        }
        if fields.has(name) {
            return self.integer(fields, name, 1, SECONDS_MAX).map(SecondsField::Literal);
        }
        self.path(fields, path_name).map(SecondsField::Path)
    }
}

/// Why an Express machine cannot call `resource`. The blank at the end of the callback's text is AWS's.
fn express_refuses(resource: &ResourceKind) -> Option<&'static str> {
    match resource {
        ResourceKind::Activity => Some("Express state machine does not support Activity ARN"),
        ResourceKind::Service { pattern: IntegrationPattern::Sync | IntegrationPattern::Sync2, .. } => {
            Some("Express state machine does not support '.sync' service integration")
        }
        ResourceKind::Service { pattern: IntegrationPattern::WaitForTaskToken, .. } => {
            Some("Express state machine does not support '.waitForTaskToken' service integration ")
        }
        _ => None,
    }
}
