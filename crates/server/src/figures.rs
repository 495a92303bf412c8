//! What the port counts about itself: connections, and requests by operation and status.
//!
//! Clients choose the names of operations, so only names that mean something get figures of their own: those of Step
//! Functions' model, and those that a service has once answered. All others are counted together.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::StatusCode;
use stepwell_figures::{Counter, Distribution, Gauge, Histogram};

use crate::model;

/// Operations with figures of their own; further ones are counted with the unknown ones.
const OPERATIONS_MAX: usize = 256;

/// Status codes that are counted each for itself; all others are counted as 0.
const STATUSES: [u16; 15] = [200, 201, 202, 204, 400, 403, 404, 408, 409, 413, 429, 500, 501, 502, 503];

/// The name under which unknown services and operations are counted.
const OTHER: &str = "other";

/// What a port counts about itself.
#[derive(Debug, Default)]
pub struct ServerFigures {
    /// Connections that are open.
    pub connections: Gauge,
    /// Requests that are being answered.
    pub requests_under_way: Gauge,
    /// Requests refused because request bodies took all the memory that they may.
    pub refused_for_memory: Counter,
    operations: RwLock<HashMap<&'static str, OfService>>,
}

/// By operation.
type OfService = HashMap<Box<str>, Arc<OperationFigures>>;

#[derive(Debug)]
struct OperationFigures {
    statuses: [Counter; STATUSES.len() + 1],
    took: Histogram,
}

impl OperationFigures {
    fn new() -> Self {
        OperationFigures { statuses: Default::default(), took: Histogram::of_durations() }
    }

    fn answered(&self, status: StatusCode, took: Duration) {
        let place = STATUSES.iter().position(|known| *known == status.as_u16());
        self.statuses[place.unwrap_or(STATUSES.len())].add(1);
        self.took.record_duration(took);
    }
}

/// Requests of one operation.
#[derive(Debug, Clone)]
pub struct OperationSnapshot {
    /// The service's name, `states` or `lambda`.
    pub service: &'static str,
    /// The operation's.
    pub operation: String,
    /// How many were answered with which status; 0 stands for all codes that are rare.
    pub statuses: Vec<(u16, u64)>,
    /// How long they took, without the time in which their bodies came in; in nanoseconds.
    pub took: Distribution,
}

impl ServerFigures {
    /// Counts an answered request.
    pub(crate) fn answered(
        &self,
        service: Option<&'static str>,
        operation: &str,
        status: StatusCode,
        took: Duration,
    ) {
        let (service, operation) = match service {
            Some(service) if self.is_known(service, operation, status) => (service, operation),
            Some(service) => (service, OTHER),
            None => (OTHER, OTHER),
        };
        let known = {
            let operations = self.operations.read().unwrap_or_else(PoisonError::into_inner);
            operations.get(service).and_then(|of_service| of_service.get(operation)).cloned()
        };
        let figures = known.unwrap_or_else(|| {
            let mut operations = self.operations.write().unwrap_or_else(PoisonError::into_inner);
            let of_service = operations.entry(service).or_default();
            of_service.entry(operation.into()).or_insert_with(|| Arc::new(OperationFigures::new())).clone()
        });
        figures.answered(status, took);
    }

    fn is_known(&self, service: &str, operation: &str, status: StatusCode) -> bool {
        let operations = self.operations.read().unwrap_or_else(PoisonError::into_inner);
        if operations.get(service).is_some_and(|of_service| of_service.contains_key(operation)) {
            return true;
        }
        let is_model = service == "states" && model::step_functions().operation(operation).is_some();
        let count: usize = operations.values().map(HashMap::len).sum();
        is_model || status.is_success() && count < OPERATIONS_MAX
    }

    /// The requests so far, by operation.
    #[must_use]
    pub fn operations(&self) -> Vec<OperationSnapshot> {
        let operations = self.operations.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for (service, of_service) in operations.iter() {
            for (operation, figures) in of_service {
                let counts = figures.statuses.iter().map(Counter::get);
                let statuses = STATUSES.iter().copied().chain([0]).zip(counts);
                all.push(OperationSnapshot {
                    service,
                    operation: operation.to_string(),
                    statuses: statuses.filter(|(_, count)| *count > 0).collect(),
                    took: figures.took.get(),
                });
            }
        }
        all.sort_unstable_by(|a, b| (a.service, &a.operation).cmp(&(b.service, &b.operation)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_cannot_make_up_operations() {
        let figures = ServerFigures::default();
        let took = Duration::from_millis(3);
        figures.answered(Some("states"), "StartExecution", StatusCode::BAD_REQUEST, took);
        figures.answered(Some("states"), "Nonsense1", StatusCode::BAD_REQUEST, took);
        figures.answered(Some("sqs"), "Nonsense2", StatusCode::BAD_REQUEST, took);
        figures.answered(Some("sqs"), "SendMessage", StatusCode::OK, took);
        figures.answered(Some("sqs"), "SendMessage", StatusCode::IM_A_TEAPOT, took);
        figures.answered(None, "Nonsense3", StatusCode::NOT_FOUND, took);
        for number in 0..2 * OPERATIONS_MAX {
            figures.answered(Some("logs"), &format!("Op{number}"), StatusCode::OK, took);
        }
        let all = figures.operations();
        assert!(all.len() <= OPERATIONS_MAX + 4, "{}", all.len());
        let seen: Vec<_> = all
            .iter()
            .filter(|o| o.service != "logs")
            .map(|o| (o.service, &*o.operation, &*o.statuses))
            .collect();
        assert_eq!(
            seen,
            [
                ("other", "other", &[(404, 1)][..]),
                ("sqs", "SendMessage", &[(200, 1), (0, 1)]),
                ("sqs", "other", &[(400, 1)]),
                ("states", "StartExecution", &[(400, 1)]),
                ("states", "other", &[(400, 1)]),
            ]
        );
    }
}
