//! Compares what happened with what AWS recorded, by the rules of the recordings' README: texts that hold JSON are
//! compared as JSON, tokens bind, wildcards match anything, times are never compared.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::case::Case;
use crate::drive::Ran;
use stepwell_interpreter::ThreadId;

/// The first difference between `ran` and what the case expects; `None` where there is none.
#[must_use]
pub fn difference(case: &Case, ran: &Ran) -> Option<String> {
    let mut matching = Matching { case, bound: HashMap::new() };
    let expected = &case.expected;
    let status = Value::from(ran.status.name());
    if expected["status"].is_string() && expected["status"] != status {
        let (error, cause) = (&ran.error, &ran.cause);
        return Some(format!("status: expected {}, was {status} ({error:?}: {cause:?})", expected["status"]));
    }
    if let Some(output) = expected.get("output").filter(|o| !o.is_null()) {
        let actual = ran.output.as_ref().map_or(Value::Null, |o| Value::from(o.text().to_string()));
        if let Some(difference) = matching.difference("output", output, &actual) {
            return Some(difference);
        }
    }
    for (name, actual) in [("error", &ran.error), ("cause", &ran.cause)] {
        if let Some(text) = expected.get(name).filter(|t| !t.is_null()) {
            let actual = actual.as_ref().map_or(Value::Null, |t| Value::from(t.to_string()));
            if let Some(difference) = matching.difference(name, text, &actual) {
                return Some(difference);
            }
        }
    }
    let history = expected.get("history").and_then(Value::as_array)?;
    let actual: Vec<(ThreadId, Value)> =
        ran.history().iter().map(|e| (e.thread, stepwell_server::history::event(e, true))).collect();
    if !case.concurrent {
        let actual: Vec<Value> = actual.into_iter().map(|(_, event)| event).collect();
        return matching.difference("history", &json!(history), &json!(actual));
    }
    // Branches may interleave in several ways. Where the recorder has put their events together, those outside of them
    // keep their order and ids; else only what happened counts, not when.
    let is_normalised = history.iter().any(|event| event["id"].is_array());
    let (inside, outside): (Vec<&Value>, Vec<&Value>) =
        history.iter().partition(|event| !is_normalised || event["id"].is_array());
    let (ours_inside, ours_outside): (Vec<_>, Vec<_>) =
        actual.into_iter().partition(|(thread, _)| !is_normalised || *thread != ThreadId::MAIN);
    matching.outside(&outside, ours_outside).or_else(|| matching.inside(&inside, ours_inside))
}

struct Matching<'a> {
    case: &'a Case,
    bound: HashMap<String, String>,
}

impl Matching<'_> {
    /// Events in their order, by id. In some recordings the event before a Parallel state's exit was dropped.
    fn outside(&mut self, wanted: &[&Value], found: Vec<(ThreadId, Value)>) -> Option<String> {
        let mut found = found.into_iter().map(|(_, event)| event).peekable();
        for (i, wanted) in wanted.iter().enumerate() {
            let is_dropped = |event: &Value| {
                let kind = event["type"].as_str().unwrap_or_default();
                ["ParallelStateSucceeded", "ParallelStateFailed"].contains(&kind)
                    && event["type"] != wanted["type"]
            };
            let Some(event) = found.next_if(|e| !is_dropped(e)).or_else(|| {
                found.next();
                found.next()
            }) else {
                return Some(format!("outside[{i}]: expected {wanted}, there is no more"));
            };
            if let Some(difference) = self.difference(&format!("outside[{i}]"), wanted, &event) {
                return Some(difference);
            }
        }
        found.next().map(|event| format!("outside: not expected: {event}"))
    }

    /// Events whatever their order and ids.
    fn inside(&mut self, wanted: &[&Value], found: Vec<(ThreadId, Value)>) -> Option<String> {
        let without_ids = |event: &Value| {
            let mut event = event.clone();
            for member in ["id", "previousEventId"] {
                event[member] = Value::Null;
            }
            event
        };
        let mut found: Vec<Value> = found.iter().map(|(_, event)| without_ids(event)).collect();
        for wanted in wanted.iter().map(|event| without_ids(event)) {
            let place = found.iter().position(|event| {
                let bound = self.bound.clone();
                let is_same = self.difference("", &wanted, event).is_none();
                if !is_same {
                    self.bound = bound;
                }
                is_same
            });
            match place {
                Some(place) => drop(found.remove(place)),
                None => return Some(format!("inside: expected {wanted}, but had only {}", json!(found))),
            }
        }
        found.first().map(|event| format!("inside: not expected: {event}"))
    }

    fn difference(&mut self, place: &str, expected: &Value, actual: &Value) -> Option<String> {
        match (expected, actual) {
            (Value::String(wanted), _) if self.case.wildcards.contains(wanted) => None,
            (Value::String(wanted), Value::String(found)) => self.text(place, wanted, found),
            (Value::Object(wanted), Value::Object(found)) => {
                for (name, value) in wanted {
                    let place = format!("{place}.{name}");
                    if name == "timestamp" && found.contains_key(name) {
                        continue;
                    }
                    match found.get(name) {
                        Some(found) => {
                            if let Some(difference) = self.difference(&place, value, found) {
                                return Some(difference);
                            }
                        }
                        None => return Some(format!("{place}: expected {value}, is absent")),
                    }
                }
                let extra = found.iter().find(|(name, _)| !wanted.contains_key(*name));
                extra.map(|(name, value)| format!("{place}.{name}: not expected, is {value}"))
            }
            (Value::Array(wanted), Value::Array(found)) => {
                for (i, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                    if let Some(difference) = self.difference(&format!("{place}[{i}]"), wanted, found) {
                        return Some(difference);
                    }
                }
                (wanted.len() != found.len())
                    .then(|| format!("{place}: expected {} elements, has {}", wanted.len(), found.len()))
            }
            // The recorder took texts that hold JSON apart.
            (Value::Object(_) | Value::Array(_), Value::String(text)) => {
                match serde_json::from_str::<Value>(text) {
                    Ok(parsed) if !parsed.is_string() => self.difference(place, expected, &parsed),
                    _ => Some(format!("{place}: expected {expected}, was {actual}")),
                }
            }
            (Value::Number(wanted), Value::Number(found)) if wanted.as_f64() == found.as_f64() => None,
            (wanted, found) if wanted == found => None,
            _ => Some(format!("{place}: expected {expected}, was {actual}")),
        }
    }

    fn text(&mut self, place: &str, wanted: &str, found: &str) -> Option<String> {
        if wanted == found || self.matches(wanted, found) {
            return None;
        }
        if let (Ok(wanted), Ok(found)) =
            (serde_json::from_str::<Value>(wanted), serde_json::from_str::<Value>(found))
            && !wanted.is_string()
            && !found.is_string()
        {
            return self.difference(place, &wanted, &found);
        }
        Some(format!("{place}: expected {wanted:?}, was {found:?}"))
    }

    /// Whether `found` is `wanted` with texts in the places of its tokens.
    fn matches(&mut self, wanted: &str, found: &str) -> bool {
        let next = self
            .case
            .engine_tokens
            .iter()
            .filter_map(|token| wanted.find(token.as_str()).map(|at| (at, token)))
            .min_by_key(|(at, token)| (*at, std::cmp::Reverse(token.len())));
        let Some((at, token)) = next else { return wanted == found };
        if !found.is_char_boundary(at) || found.get(..at) != Some(&wanted[..at]) {
            return false;
        }
        let (rest_wanted, rest_found) = (&wanted[at + token.len()..], &found[at..]);
        if let Some(bound) = self.bound.get(token).cloned() {
            return rest_found
                .strip_prefix(bound.as_str())
                .is_some_and(|rest| self.matches(rest_wanted, rest));
        }
        // The shortest text that lets the rest match.
        let ends = rest_found.char_indices().map(|(i, c)| i + c.len_utf8());
        for end in ends.collect::<Vec<_>>() {
            self.bound.insert(token.clone(), rest_found[..end].to_owned());
            if self.matches(rest_wanted, &rest_found[end..]) {
                return true;
            }
            self.bound.remove(token);
        }
        false
    }
}
