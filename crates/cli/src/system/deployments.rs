//! Deployments under way: each runs as a task of the server, whoever asked for it may look or go away.
//!
//! Owns which stack is being worked on (one operation at a time) and the events of the latest operations, in memory;
//! what survives a restart is the stack's record, from which an interrupted operation is resumed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stepwell_aws::{Account, BoxFuture, Service};
use stepwell_deploy::stack::{StackEvent, StackStore};
use stepwell_deploy::{
    DeployError, DeployRequest, Environment, Host, NoParameters, StackResult, StoreError, delete_stack,
    deploy, resume,
};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::assets::Assets;
use super::stacks::Stacks;

/// Operations whose events are kept for whoever asks.
const OPERATIONS_KEPT: usize = 64;

/// What an operation on a stack is to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Create or update.
    Deploy(DeployRequest),
    /// Delete the stack of this name.
    Delete(String),
    /// Go on with what was interrupted.
    Resume(String),
}

impl Order {
    fn stack_name(&self) -> &str {
        match self {
            Order::Deploy(request) => &request.stack_name,
            Order::Delete(name) | Order::Resume(name) => name,
        }
    }
}

/// How far an operation is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The events from the asked one on.
    pub(crate) events: Vec<StackEvent>,
    /// Where the next question begins.
    pub(crate) next: usize,
    /// The end, once it is there.
    pub(crate) end: Option<Result<StackResult, DeployError>>,
}

/// Another operation works on the stack.
#[derive(Debug, thiserror::Error)]
#[error("another operation on stack {0} is under way")]
pub(crate) struct Busy(pub(crate) String);

/// Runs deployments. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Deployments {
    inner: Arc<Inner>,
}

struct Inner {
    account: Account,
    services: BTreeMap<String, Arc<dyn Service>>,
    stacks: Stacks,
    assets: Assets,
    /// `host:port` of this server.
    host: String,
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    stacks: BTreeSet<String>,
    operations: VecDeque<(String, Arc<Operation>)>,
    tasks: BTreeMap<String, AbortHandle>,
}

struct Operation {
    state: watch::Sender<State>,
}

#[derive(Default)]
struct State {
    events: Vec<StackEvent>,
    end: Option<Result<StackResult, DeployError>>,
}

impl Deployments {
    /// Deployments that make resources with `services`, by their short names.
    pub(crate) fn new(
        account: Account,
        services: BTreeMap<String, Arc<dyn Service>>,
        stacks: Stacks,
        assets: Assets,
        host: String,
    ) -> Self {
        let under_way = Mutex::default();
        Deployments { inner: Arc::new(Inner { account, services, stacks, assets, host, under_way }) }
    }

    /// The stack records.
    pub(crate) fn stacks(&self) -> &Stacks {
        &self.inner.stacks
    }

    /// The assets.
    pub(crate) fn assets(&self) -> &Assets {
        &self.inner.assets
    }

    /// Begins an operation and gives its id.
    pub(crate) fn begin(&self, order: Order) -> Result<String, Busy> {
        let name = order.stack_name().to_owned();
        let id = uuid::Uuid::new_v4().to_string();
        let operation = Arc::new(Operation { state: watch::Sender::new(State::default()) });
        let mut under_way = self.under_way();
        if !under_way.stacks.insert(name.clone()) {
            return Err(Busy(name));
        }
        under_way.operations.push_back((id.clone(), operation.clone()));
        if under_way.operations.len() > OPERATIONS_KEPT {
            under_way.operations.pop_front();
        }
        let this = self.clone();
        let task = tokio::spawn({
            let name = name.clone();
            async move {
                // Given back also if the deployment panics or is given up, so that the stack does not stay locked.
                let _turn = Turn { deployments: this.clone(), name };
                let end = this.carry_out(order, &operation).await;
                operation.state.send_modify(|state| state.end = Some(end));
            }
        });
        // The lock is still held, so that the task cannot end before it is noted.
        under_way.tasks.insert(name, task.abort_handle());
        Ok(id)
    }

    /// Gives up what is under way; the next start of the server goes on with it.
    pub(crate) fn stop(&self) {
        let tasks = std::mem::take(&mut self.under_way().tasks);
        tasks.values().for_each(AbortHandle::abort);
    }

    /// The events of an operation from number `after` on, waiting up to `patience` for the first; `None` where there is
    /// no such operation.
    pub(crate) async fn report(&self, id: &str, after: usize, patience: Duration) -> Option<Report> {
        let operation =
            self.under_way().operations.iter().find(|(own, _)| own == id).map(|(_, o)| o.clone())?;
        let mut state = operation.state.subscribe();
        let news = state.wait_for(|state| state.events.len() > after || state.end.is_some());
        let _ = tokio::time::timeout(patience, news).await;
        let state = operation.state.borrow();
        let events = state.events.get(after..).unwrap_or_default().to_vec();
        Some(Report { next: after + events.len(), events, end: state.end.clone() })
    }

    /// Begins to resume every operation that the last stop of the server interrupted.
    pub(crate) async fn resume_all(&self) -> Result<(), StoreError> {
        for record in self.inner.stacks.list().await? {
            if record.status.is_in_progress() {
                tracing::info!(stack = %record.name, status = %record.status, "an interrupted deployment goes on");
                // It cannot be busy: nothing else has begun yet.
                let _ = self.begin(Order::Resume(record.name));
            }
        }
        Ok(())
    }

    async fn carry_out(&self, order: Order, operation: &Operation) -> Result<StackResult, DeployError> {
        let environment = Environment {
            account: &self.inner.account,
            services: &self.inner.services,
            stacks: &self.inner.stacks,
            assets: &self.inner.assets,
            parameters: &NoParameters,
            host: &SystemHost,
            endpoint_host: Some(&self.inner.host),
            inert_types: &[],
        };
        let sink = |event: &StackEvent| operation.state.send_modify(|state| state.events.push(event.clone()));
        let name = order.stack_name().to_owned();
        let end = match order {
            Order::Deploy(request) => deploy(environment, &request, &sink).await,
            Order::Delete(name) => delete_stack(environment, &name, &sink).await,
            Order::Resume(name) => match resume(environment, &name, &sink).await {
                Ok(Some(result)) => Ok(result),
                Ok(None) => Err(DeployError::NotFound(name)),
                Err(error) => Err(error),
            },
        };
        match &end {
            Ok(result) => tracing::info!(stack = %name, status = %result.status, "deployment done"),
            Err(error) => tracing::warn!(stack = %name, %error, "deployment failed"),
        }
        end
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.inner.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to work on a stack.
struct Turn {
    deployments: Deployments,
    name: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut under_way = self.deployments.under_way();
        under_way.stacks.remove(&self.name);
        under_way.tasks.remove(&self.name);
    }
}

/// The machine this runs on.
struct SystemHost;

impl Host for SystemHost {
    fn now_ms(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn uuid(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }

    fn pause(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}
