//! The functions that may end a path: `$.List.length()`.

use super::filter::Operand;
use super::walk::{Exhausted, Walk};
use crate::value::{Number, Value};

/// A call at the end of a path.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: Function,
    pub(super) arguments: Vec<Operand>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Length,
    Min,
    Max,
    Avg,
    StdDev,
    Sum,
    Keys,
    First,
    Last,
    Index,
    Concat,
    Append,
}

const NAMES: [(&str, Function); 13] = [
    ("length", Function::Length),
    ("size", Function::Length),
    ("min", Function::Min),
    ("max", Function::Max),
    ("avg", Function::Avg),
    ("stddev", Function::StdDev),
    ("sum", Function::Sum),
    ("keys", Function::Keys),
    ("first", Function::First),
    ("last", Function::Last),
    ("index", Function::Index),
    ("concat", Function::Concat),
    ("append", Function::Append),
];

impl Function {
    pub(super) fn named(name: &str) -> Option<Function> {
        NAMES.iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
    }
}

impl Call {
    pub(super) fn name(&self) -> &'static str {
        NAMES.iter().find(|(_, f)| *f == self.function).map_or("", |(n, _)| n)
    }

    /// The result for `value`; nothing where the function has none, such as the sum of no numbers.
    pub(super) fn apply(&self, value: &Value, walk: &Walk<'_>) -> Result<Option<Value>, Exhausted> {
        let mut arguments = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            match argument.resolve(value, walk)? {
                Some(value) => arguments.push(value),
                None => return Ok(None),
            }
        }
        let list = value.as_array();
        walk.spend(list.map_or(1, <[Value]>::len) as u64)?;
        Ok(match self.function {
            Function::Length => Some(length(arguments.first().unwrap_or(value))),
            Function::Keys => {
                value.as_object().map(|o| o.iter().map(|(k, _)| k.clone().into()).collect::<Vec<_>>().into())
            }
            Function::First => list.and_then(|l| l.first().cloned()),
            Function::Last => list.and_then(|l| l.last().cloned()),
            Function::Index => list.zip(arguments.first()).and_then(|(l, i)| {
                let index = i.as_number()?.as_i64()?;
                super::walk::position(l.len(), index).map(|i| l[i].clone())
            }),
            Function::Concat => Some(concat(list.unwrap_or_default().iter().chain(&arguments))),
            Function::Append => list.map(|l| l.iter().chain(&arguments).cloned().collect::<Vec<_>>().into()),
            aggregate => numbers(list.unwrap_or_default(), &arguments).and_then(|n| calculate(aggregate, &n)),
        })
    }
}

fn length(value: &Value) -> Value {
    let length = match value {
        Value::Array(list) => list.len(),
        Value::Object(members) => members.len(),
        _ => return Value::Null,
    };
    i64::try_from(length).map_or(Value::Null, Value::from)
}

fn concat<'v>(values: impl Iterator<Item = &'v Value>) -> Value {
    let mut text = String::new();
    for value in values {
        match value {
            Value::String(s) => text.push_str(s),
            Value::Number(n) => text.push_str(&n.to_string()),
            _ => {}
        }
    }
    text.into()
}

/// The numbers of a list and of the arguments, which may be lists themselves.
fn numbers(list: &[Value], arguments: &[Value]) -> Option<Vec<f64>> {
    let given = arguments.iter().flat_map(|a| a.as_array().unwrap_or(std::slice::from_ref(a)));
    let numbers: Vec<f64> =
        list.iter().chain(given).filter_map(Value::as_number).map(Number::as_f64).collect();
    (!numbers.is_empty()).then_some(numbers)
}

fn calculate(function: Function, numbers: &[f64]) -> Option<Value> {
    #[allow(clippy::cast_precision_loss)]
    let count = numbers.len() as f64;
    let sum: f64 = numbers.iter().sum();
    let result = match function {
        Function::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
        Function::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Function::Avg => sum / count,
        Function::Sum => sum,
        Function::StdDev => {
            let squares: f64 = numbers.iter().map(|n| n * n).sum();
            (squares / count - (sum / count).powi(2)).max(0.0).sqrt()
        }
        _ => return None,
    };
    result.is_finite().then_some(Value::Number(Number::Float(result)))
}
