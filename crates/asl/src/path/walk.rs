//! Following the steps of a path through a value.

use std::cell::Cell;

use super::{Canonical, Path, PathMiss, Root, Step};
use crate::environment::Environment;
use crate::value::{Object, Value};

/// How many values one evaluation may look at. The largest input has fewer than 150,000; what needs more than this
/// is a filter or descent within another one over hostile data.
const VISITS_MAX: u64 = 2_000_000;

/// The evaluation looked at too many values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exhausted;

impl From<Exhausted> for PathMiss {
    fn from(_: Exhausted) -> PathMiss {
        PathMiss::new(format!("The path needs more than {VISITS_MAX} steps"))
    }
}

/// The surroundings of one evaluation.
pub(super) struct Walk<'a> {
    document: &'a Value,
    env: &'a dyn Environment,
    visits_left: Cell<u64>,
}

/// What the steps of a path selected.
enum Selection<'v> {
    Values(Vec<&'v Value>),
    /// What a function or several names at the end made.
    Made(Vec<Value>),
}

/// The value at the end of names and indexes.
pub(super) fn follow<'v>(steps: &[Step], root: &'v Value) -> Option<&'v Value> {
    steps.iter().try_fold(root, |value, step| match (step, value) {
        (Step::Name(name), Value::Object(members)) => members.get(name),
        (Step::Index(index), Value::Array(list)) => position(list.len(), *index).map(|i| &list[i]),
        _ => None,
    })
}

/// The place of `index`, counted from the end if negative, in a list of `length`.
pub(super) fn position(length: usize, index: i64) -> Option<usize> {
    let index = if index < 0 { i64::try_from(length).ok()?.checked_add(index)? } else { index };
    usize::try_from(index).ok().filter(|i| *i < length)
}

/// Evaluates any path from the value its root stands for.
pub(super) fn select(path: &Path, root: &Value, env: &dyn Environment) -> Result<Value, PathMiss> {
    let walk = Walk { document: root, env, visits_left: Cell::new(VISITS_MAX) };
    let mut found: Vec<Value> = match walk.run(&path.root, &path.steps, path.definite, root)? {
        Selection::Values(values) => values.into_iter().cloned().collect(),
        Selection::Made(values) => values,
    };
    if !path.definite {
        return Ok(found.into());
    }
    found.pop().ok_or_else(|| path.no_results())
}

/// Why step `i`, a definite one after definite ones, found nothing in `value`.
pub(super) fn missing(root: &Root, steps: &[Step], i: usize, value: &Value, is_last: bool) -> PathMiss {
    let place = Canonical(root, &steps[..=i]);
    let no_results = || format!("No results for path: {}", Canonical(root, steps));
    match (&steps[i], value) {
        (Step::Name(_), Value::Object(_)) if !is_last => {
            PathMiss::new(format!("Missing property in path {place}"))
        }
        (Step::Name(_), Value::Object(_)) => PathMiss::new(no_results()),
        (Step::Index(_), Value::Array(_)) => PathMiss { reason: no_results(), past_end: is_last },
        (Step::Name(name), other) => PathMiss::new(format!(
            "Expected to find an object with property ['{name}'] in path {} but found '{}'. This is not a json object.",
            Canonical(root, &steps[..i]),
            other.type_name()
        )),
        (step, other) => PathMiss::new(format!(
            "Filter: {step} can only be applied to arrays. Current context is: {}",
            other.type_name()
        )),
    }
}

impl<'a> Walk<'a> {
    /// The value that `$` stands for in filters.
    pub(super) fn document(&self) -> &'a Value {
        self.document
    }

    pub(super) fn env(&self) -> &'a dyn Environment {
        self.env
    }

    /// Counts `visits` values as looked at.
    pub(super) fn spend(&self, visits: u64) -> Result<(), Exhausted> {
        match self.visits_left.get().checked_sub(visits) {
            Some(left) => {
                self.visits_left.set(left);
                Ok(())
            }
            None => {
                self.visits_left.set(0);
                Err(Exhausted)
            }
        }
    }

    /// What a path inside a filter gives: its value, or an array where it is not definite.
    pub(super) fn resolve(
        &self,
        steps: &[Step],
        definite: bool,
        from: &Value,
    ) -> Result<Option<Value>, Exhausted> {
        if steps.iter().all(|s| matches!(s, Step::Name(_) | Step::Index(_))) {
            self.spend(steps.len() as u64)?;
            return Ok(follow(steps, from).cloned());
        }
        let selection = match self.run(&Root::Input, steps, definite, from) {
            Ok(selection) => selection,
            Err(_) if self.visits_left.get() == 0 => return Err(Exhausted),
            Err(_) => return Ok(None),
        };
        let mut found: Vec<Value> = match selection {
            Selection::Values(values) => values.into_iter().cloned().collect(),
            Selection::Made(values) => values,
        };
        Ok(if definite { found.pop() } else { Some(found.into()) })
    }

    /// Follows `steps`. A step that finds nothing is an error where the whole path is `definite`; of others AWS gives
    /// what there is, and be it an empty list.
    fn run<'v>(
        &self,
        root: &Root,
        steps: &[Step],
        definite: bool,
        from: &'v Value,
    ) -> Result<Selection<'v>, PathMiss> {
        let mut values = vec![from];
        for (i, step) in steps.iter().enumerate() {
            let is_last = i + 1 == steps.len();
            match step {
                Step::Function(call) => return self.call(call, steps, values).map(Selection::Made),
                Step::Names(names) if is_last => return self.merge(names, &values).map(Selection::Made),
                _ => {}
            }
            let mut next = Vec::new();
            for &value in &values {
                self.apply(step, value, &mut next)?;
                if definite && next.is_empty() {
                    return Err(missing(root, steps, i, value, is_last));
                }
            }
            values = next;
        }
        Ok(Selection::Values(values))
    }

    /// Applies one step to one value.
    fn apply<'v>(&self, step: &Step, value: &'v Value, out: &mut Vec<&'v Value>) -> Result<(), PathMiss> {
        self.spend(1)?;
        match (step, value) {
            (Step::Name(_) | Step::Index(_), _) => out.extend(follow(std::slice::from_ref(step), value)),
            (Step::Names(names), Value::Object(members)) => {
                self.spend(names.len() as u64)?;
                out.extend(names.iter().filter_map(|name| members.get(name)));
            }
            (Step::Indexes(indexes), Value::Array(list)) => {
                self.spend(indexes.len() as u64)?;
                out.extend(indexes.iter().filter_map(|i| position(list.len(), *i)).map(|i| &list[i]));
            }
            (Step::Slice(from, to), Value::Array(list)) => {
                let part = slice(list, *from, *to);
                self.spend(part.len() as u64)?;
                out.extend(part);
            }
            (Step::Wildcard, _) => out.extend(children(value, self)?),
            (Step::Filter(predicate), Value::Array(list)) => {
                for element in list.iter() {
                    if predicate.accepts(element, self)? {
                        out.push(element);
                    }
                }
            }
            (Step::Filter(predicate), Value::Object(_)) => {
                let accepted = predicate.accepts(value, self)?;
                out.extend(accepted.then_some(value));
            }
            (Step::Descent(step), _) => self.descend(step, value, out)?,
            _ => {}
        }
        Ok(())
    }

    /// Applies `step` to every array and object from `value` downwards, parents before children.
    fn descend<'v>(&self, step: &Step, value: &'v Value, out: &mut Vec<&'v Value>) -> Result<(), PathMiss> {
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            if !matches!(value, Value::Array(_) | Value::Object(_)) {
                continue;
            }
            // A filter takes an object itself wherever it meets it, so its place in a list gives no second match.
            let in_list = matches!(step, Step::Filter(_)) && matches!(value, Value::Array(_));
            if !in_list {
                self.apply(step, value, out)?;
            }
            let start = open.len();
            open.extend(children(value, self)?);
            open[start..].reverse();
        }
        Ok(())
    }

    fn call(
        &self,
        call: &super::function::Call,
        steps: &[Step],
        values: Vec<&Value>,
    ) -> Result<Vec<Value>, PathMiss> {
        // After a descent the function takes everything that was found as one list.
        let whole: Value;
        let values = if steps.iter().any(|s| matches!(s, Step::Descent(_))) {
            whole = values.into_iter().cloned().collect::<Vec<_>>().into();
            vec![&whole]
        } else {
            values
        };
        let mut results = Vec::new();
        for value in values {
            results.extend(call.apply(value, self)?);
        }
        Ok(results)
    }

    /// Several names at the end of a path make one object of the members that are there.
    fn merge(&self, names: &[std::sync::Arc<str>], values: &[&Value]) -> Result<Vec<Value>, PathMiss> {
        let mut results = Vec::new();
        for members in values.iter().filter_map(|v| v.as_object()) {
            self.spend(names.len() as u64)?;
            let kept = names.iter().filter_map(|name| Some((name.clone(), members.get(name)?.clone())));
            results.push(kept.collect::<Object>().into());
        }
        Ok(results)
    }
}

fn children<'v>(value: &'v Value, walk: &Walk<'_>) -> Result<Vec<&'v Value>, Exhausted> {
    let children: Vec<&Value> = match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(members) => members.iter().map(|(_, v)| v).collect(),
        _ => Vec::new(),
    };
    walk.spend(children.len() as u64)?;
    Ok(children)
}

/// The elements from `from` up to but without `to`, both counted from the end if negative.
fn slice(list: &[Value], from: Option<i64>, to: Option<i64>) -> &[Value] {
    let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
    let bound = |b: i64| {
        let from_start = if b < 0 { length.saturating_add(b) } else { b };
        usize::try_from(from_start.clamp(0, length)).unwrap_or(0)
    };
    let (from, to) = (from.map_or(0, bound), to.map_or(list.len(), bound));
    list.get(from..to).unwrap_or(&[])
}
