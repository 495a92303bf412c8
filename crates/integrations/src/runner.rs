//! [`Integrations`]: the registry of services and the way from a Task's resource to the file that knows it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::task::Poll;
use std::time::Duration;

use stepwell_asl::payload::Payload;
use stepwell_asl::program::{IntegrationPattern, Resource, ResourceKind};
use stepwell_aws::{BoxFuture, Service};
use tokio::sync::Notify;

use crate::catalog;
use crate::catalog::STATES;
use crate::connections::Connections;
use crate::endpoint::http_client::HttpClient;
use crate::failure::Failure;
use crate::parameters::{self, Api};
use crate::services::{self, nested};
use crate::support::supports;
use crate::task::{Progress, TaskOutcome, TaskRequest, TaskRunner};

/// Largest result of a task in bytes of its JSON text. Source: quota "Maximum input or output size".
const RESULT_BYTES_MAX: usize = 262_144;

/// How long a task waits for Step Functions itself: it exists only after the engine, which may have dispatched what a
/// crash left behind by then.
const STATES_ARRIVAL_MAX: Duration = Duration::from_secs(10);

/// Runs tasks against the services registered with it.
///
/// Services may be registered at any time, also after the engine has got it: Step Functions itself, which nested
/// executions call, exists only when the engine does.
#[derive(Default)]
pub struct Integrations {
    services: RwLock<BTreeMap<String, Registered>>,
    /// Told of each registration.
    arrived: Notify,
    connections: RwLock<Option<Arc<dyn Connections>>>,
    /// For HTTP tasks; made when the first one runs.
    http: OnceLock<HttpClient>,
}

enum Registered {
    Owned(Arc<dyn Service>),
    Weak(Weak<dyn Service>),
}

impl Integrations {
    /// Without any service.
    #[must_use]
    pub fn new() -> Self {
        Integrations::default()
    }

    /// Registers `service` under its own name (`lambda`, `dynamodb`, `sqs`, `sns`, `events`, `states`) in place of the
    /// one that had it.
    pub fn register(&self, service: Arc<dyn Service>) {
        let name = service.name().to_owned();
        self.insert(name, Registered::Owned(service));
    }

    /// The same for a service that itself holds this registry (Step Functions does, through its engine): without
    /// keeping it alive. Once it is gone its tasks fail as if it had never been registered.
    pub fn register_weak(&self, service: &Arc<dyn Service>) {
        self.insert(service.name().to_owned(), Registered::Weak(Arc::downgrade(service)));
    }

    /// Lets HTTP tasks use these connections; without any they fail and say so.
    pub fn connect(&self, connections: Arc<dyn Connections>) {
        *self.connections.write().unwrap_or_else(PoisonError::into_inner) = Some(connections);
    }

    /// The service registered as `name`.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<Arc<dyn Service>> {
        let services = self.services.read().unwrap_or_else(PoisonError::into_inner);
        match services.get(name)? {
            Registered::Owned(service) => Some(Arc::clone(service)),
            Registered::Weak(service) => service.upgrade(),
        }
    }

    fn insert(&self, name: String, service: Registered) {
        self.services.write().unwrap_or_else(PoisonError::into_inner).insert(name, service);
        self.arrived.notify_waiters();
    }

    async fn attempt(&self, request: &TaskRequest) -> Result<Payload, Failure> {
        supports(&request.resource).map_err(|unsupported| Failure::runtime(unsupported.to_string()))?;
        let result = match Target::of(&request.resource.kind) {
            Some(Target::Function) => {
                services::lambda::call_function(&*self.required("lambda", request).await?, request).await?
            }
            Some(Target::Sdk { service, api }) => {
                let model = catalog::model(service)
                    .ok_or_else(|| Failure::runtime(format!("There is no AWS service '{service}'")))?;
                let service = self.required(service, request).await?;
                services::aws_sdk::call(&*service, &model, api, request).await?
            }
            Some(Target::Optimized(api)) => match sync_pattern(&request.resource) {
                Some(pattern) => self.job(api, request, pattern).await?,
                None => self.optimized(api, request).await?,
            },
            // `supports` has refused it.
            None => {
                return Err(Failure::runtime(format!(
                    "The resource '{}' is not supported",
                    request.resource.arn
                )));
            }
        };
        within_limit(result, &request.resource)
    }

    async fn optimized(&self, api: &Api, request: &TaskRequest) -> Result<Payload, Failure> {
        match api.resource_type() {
            "http" => {
                let connections = self.connections.read().unwrap_or_else(PoisonError::into_inner).clone();
                return services::http::invoke(self.http()?, connections.as_deref(), request).await;
            }
            "apigateway" => return services::apigateway::invoke(self.http()?, api, request).await,
            _ => {}
        }
        services::call(&*self.required(api.resource_type(), request).await?, api, request).await
    }

    /// Begins a job, unless it is begun, and waits for its end. Only nested executions are such jobs ([`supports`]).
    async fn job(
        &self,
        api: &Api,
        request: &TaskRequest,
        pattern: IntegrationPattern,
    ) -> Result<Payload, Failure> {
        let submitted = match &request.progress {
            Progress::Submitted(answer) => answer.clone(),
            Progress::New | Progress::Again => {
                let answer = self.optimized(api, request).await?;
                request.host.submitted(answer.clone());
                answer
            }
        };
        nested::wait(self, request, &submitted, pattern).await
    }

    fn http(&self) -> Result<&HttpClient, Failure> {
        if let Some(client) = self.http.get() {
            return Ok(client);
        }
        let client = HttpClient::new().map_err(|error| Failure::runtime(error.to_string()))?;
        Ok(self.http.get_or_init(|| client))
    }

    async fn required(&self, name: &str, request: &TaskRequest) -> Result<Arc<dyn Service>, Failure> {
        let service = if name == STATES.registry { self.states().await } else { self.service(name) };
        service.ok_or_else(|| {
            let variable = catalog::endpoint_variable(name);
            Failure::runtime(format!(
                "The resource '{}' needs the service '{name}', which is neither embedded nor configured: start the \
                 server with --endpoint {name}=URL, --endpoint {name}=aws or AWS_ENDPOINT_URL_{variable} set",
                request.resource.arn
            ))
        })
    }

    /// Step Functions, as soon as it is there.
    async fn states(&self) -> Option<Arc<dyn Service>> {
        let arrival = async {
            loop {
                let mut arrived = pin!(self.arrived.notified());
                // Before looking, so that no arrival falls between.
                arrived.as_mut().enable();
                if let Some(service) = self.service(STATES.registry) {
                    return service;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(STATES_ARRIVAL_MAX, arrival).await.ok()
    }

    async fn stop_job(&self, request: &TaskRequest) {
        if sync_pattern(&request.resource).is_none() {
            return;
        }
        let Some(Target::Optimized(api)) = Target::of(&request.resource.kind) else { return };
        let execution = match &request.progress {
            Progress::Submitted(answer) => nested::execution_arn(answer).map(str::to_owned),
            // The start may have been on its way.
            Progress::New | Progress::Again => services::states::own_execution(api, request),
        };
        if let Some(execution) = execution {
            nested::stop(self, &execution).await;
        }
    }
}

impl TaskRunner for Integrations {
    fn run(&self, request: TaskRequest) -> BoxFuture<'_, TaskOutcome> {
        Box::pin(async move {
            tracing::debug!(attempt = %request.attempt_id, resource = %request.resource.arn, "task called");
            let result = without_panic(self.attempt(&request)).await.unwrap_or_else(|| {
                tracing::error!(attempt = %request.attempt_id, resource = %request.resource.arn, "task panicked");
                Err(Failure::runtime(format!(
                    "Stepwell failed while it ran the resource '{}'; its log says more",
                    request.resource.arn
                )))
            });
            match result {
                Ok(result) => TaskOutcome::Succeeded(result),
                Err(failure) => {
                    tracing::debug!(attempt = %request.attempt_id, error = %failure.error, "task failed");
                    failure.into_outcome()
                }
            }
        })
    }

    fn give_up(&self, request: TaskRequest) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if without_panic(self.stop_job(&request)).await.is_none() {
                tracing::error!(attempt = %request.attempt_id, "stopping what a task began panicked");
            }
        })
    }
}

/// Runs `attempt`; `None` where it panicked. A service that breaks its promise must fail the attempt: an attempt
/// without an end would leave its execution waiting for ever.
async fn without_panic<T>(attempt: impl Future<Output = T>) -> Option<T> {
    let mut attempt = pin!(attempt);
    poll_fn(|context| match panic::catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(context))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// Where a resource leads.
enum Target<'a> {
    /// A function named by its own ARN.
    Function,
    /// An API of an `aws-sdk` integration.
    Sdk {
        /// Its name in the registry.
        service: &'static str,
        api: &'a str,
    },
    /// An API of an optimized integration.
    Optimized(&'static Api),
}

impl<'a> Target<'a> {
    fn of(kind: &'a ResourceKind) -> Option<Target<'a>> {
        match kind {
            ResourceKind::LambdaFunction => Some(Target::Function),
            ResourceKind::Activity => None,
            ResourceKind::Service { resource_type, api, .. } => {
                match resource_type.strip_prefix("aws-sdk:") {
                    Some(service) => {
                        catalog::sdk_resource(service).map(|service| Target::Sdk { service, api })
                    }
                    None => parameters::optimized(resource_type, api).map(Target::Optimized),
                }
            }
        }
    }
}

/// `.sync` or `.sync:2`, where the resource has one of them.
fn sync_pattern(resource: &Resource) -> Option<IntegrationPattern> {
    match &resource.kind {
        ResourceKind::Service { pattern, .. } => {
            matches!(pattern, IntegrationPattern::Sync | IntegrationPattern::Sync2).then_some(*pattern)
        }
        ResourceKind::LambdaFunction | ResourceKind::Activity => None,
    }
}

fn within_limit(result: Payload, resource: &Resource) -> Result<Payload, Failure> {
    if result.byte_len() <= RESULT_BYTES_MAX { Ok(result) } else { Err(too_large(resource)) }
}

/// `States.DataLimitExceeded`, naming the function's ARN or the integration.
fn too_large(resource: &Resource) -> Failure {
    let name = match &resource.kind {
        ResourceKind::Service { resource_type, .. } => resource_type,
        ResourceKind::LambdaFunction | ResourceKind::Activity => &resource.arn,
    };
    Failure::new(
        "States.DataLimitExceeded",
        format!(
            "The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service limit."
        ),
    )
}
