//! `Retry` and `Catch`.

use std::sync::Arc;

use super::Compiler;
use super::container::Siblings;
use super::fields::{Fields, SECONDS_MAX};
use super::query::CAUGHT;
use crate::program::{Catcher, JitterStrategy, Retrier, StateId};

/// Longest `MaxDelaySeconds`: a leap year.
const MAX_DELAY_SECONDS_MAX: u32 = 31_622_400;

impl Compiler {
    pub(super) fn retry(&mut self, fields: &Fields<'_>) -> Vec<Retrier> {
        let members = self.objects(fields, "Retry");
        let last = members.len().saturating_sub(1);
        members.iter().enumerate().filter_map(|(i, member)| self.retrier(member, i == last)).collect()
    }

    fn retrier(&mut self, fields: &Fields<'_>, is_last: bool) -> Option<Retrier> {
        self.check_names(
            fields,
            &[
                "ErrorEquals",
                "IntervalSeconds",
                "MaxAttempts",
                "BackoffRate",
                "MaxDelaySeconds",
                "JitterStrategy",
                "Comment",
            ],
        );
        self.string(fields, "Comment");
        let error_equals = self.error_equals(fields, is_last);
        let interval_seconds = self.integer(fields, "IntervalSeconds", 1, SECONDS_MAX).unwrap_or(1);
        let max_attempts = self.integer(fields, "MaxAttempts", 0, SECONDS_MAX).unwrap_or(3);
        let backoff_rate = self.float(fields, "BackoffRate", 1.0, f64::MAX).unwrap_or(2.0);
        let max_delay_seconds = self.integer(fields, "MaxDelaySeconds", 1, MAX_DELAY_SECONDS_MAX);
        if max_delay_seconds.is_some_and(|max| max <= interval_seconds) {
            let message = "MaxDelaySeconds must be greater than IntervalSeconds";
            self.report.schema(fields.at_field("MaxDelaySeconds"), fields.span("MaxDelaySeconds"), message);
        }
        let jitter_strategy = self.jitter(fields);
        let error_equals = error_equals?;
        Some(Retrier {
            error_equals,
            interval_seconds,
            max_attempts,
            backoff_rate,
            max_delay_seconds,
            jitter_strategy,
        })
    }

    fn jitter(&mut self, fields: &Fields<'_>) -> JitterStrategy {
        match self.string(fields, "JitterStrategy").as_deref() {
            None | Some("NONE") => JitterStrategy::None,
            Some("FULL") => JitterStrategy::Full,
            Some(_) => {
                let message = "Value should be one of the following: [NONE, FULL]";
                self.report.schema(fields.at_field("JitterStrategy"), fields.span("JitterStrategy"), message);
                JitterStrategy::None
            }
        }
    }

    pub(super) fn catch(
        &mut self,
        fields: &Fields<'_>,
        id: StateId,
        siblings: &mut Siblings,
    ) -> Vec<Catcher> {
        let members = self.objects(fields, "Catch");
        let last = members.len().saturating_sub(1);
        members
            .iter()
            .enumerate()
            .filter_map(|(i, member)| self.catcher(member, i == last, id, siblings))
            .collect()
    }

    fn catcher(
        &mut self,
        fields: &Fields<'_>,
        is_last: bool,
        id: StateId,
        siblings: &mut Siblings,
    ) -> Option<Catcher> {
        self.check_names(fields, &["ErrorEquals", "Next", "ResultPath", "Output", "Assign", "Comment"]);
        self.string(fields, "Comment");
        self.check_language(fields, "Output", "ResultPath");
        self.require(fields, &["ErrorEquals", "Next"]);
        let error_equals = if fields.has("ErrorEquals") { self.error_equals(fields, is_last) } else { None };
        let result_path = self.result_path(fields);
        let output = self.query(fields, "Output", CAUGHT);
        let assign = self.assign_of_catcher(fields, CAUGHT);
        let next = self.next(id, fields, "Next", siblings);
        Some(Catcher { error_equals: error_equals?, result_path, output, assign, next: next? })
    }

    /// The names of errors: at least one, and `States.ALL` only alone and in the last member.
    fn error_equals(&mut self, fields: &Fields<'_>, is_last: bool) -> Option<Vec<Arc<str>>> {
        if !self.require(fields, &["ErrorEquals"]) {
            return None;
        }
        let node = fields.get("ErrorEquals")?;
        let at = fields.at_field("ErrorEquals");
        let Some(elements) = node.as_array() else {
            self.wrong_type(at, node.span, "ARRAY");
            return None;
        };
        if elements.is_empty() {
            self.report.schema(at, node.span, "Value cannot be empty");
            return None;
        }
        let mut names = Vec::with_capacity(elements.len());
        for (i, element) in elements.iter().enumerate() {
            match element.as_str() {
                Some(name) => {
                    self.warn_about_error_name(name, &format!("{at}[{i}]"), element.span);
                    names.push(name.clone());
                }
                None => self.wrong_type(format!("{at}[{i}]"), element.span, "STRING"),
            }
        }
        let has_all = names.iter().any(|name| &**name == "States.ALL");
        if has_all && names.len() > 1 {
            let message = "States.ALL must appear alone in the ErrorEquals array";
            self.report.schema(at.clone(), node.span, message);
        }
        if has_all && !is_last {
            let message = "States.ALL must appear in the last element of the array";
            self.report.schema(at, node.span, message);
        }
        Some(names)
    }
}
