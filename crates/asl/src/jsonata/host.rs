//! The functions that AWS adds to JSONata, and bounded forms of those that could fill the memory.

use std::cell::Cell;
use std::rc::Rc;

use jsonata_core::evaluator::{Evaluator, EvaluatorError};
use jsonata_core::functions;
use jsonata_core::value::JValue;

use super::analyze::{BOUNDED_JOIN, BOUNDED_REPLACE};
use super::bound::{self, BOUNDED, BOUNDED_REPLACEMENT, OPERAND_BYTES_MAX as TEXT_BYTES_MAX};
use super::convert;
use crate::intrinsic::hex_digest;
use crate::json;

/// Most elements that `$range` makes. Source: Developer Guide, "Transforming data with JSONata".
const RANGE_ITEMS_MAX: f64 = 1000.0;

type HostResult = Result<JValue, EvaluatorError>;

/// A source of numbers for one evaluation.
pub(super) struct Entropy(Cell<u64>);

impl Entropy {
    pub(super) fn new(seed: u64) -> Self {
        Entropy(Cell::new(seed))
    }

    fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        crate::intrinsic::mix(self.0.get())
    }
}

/// Makes the functions known to `evaluator`.
pub(super) fn register(evaluator: &mut Evaluator, entropy: Entropy) -> Result<(), EvaluatorError> {
    let entropy = Rc::new(entropy);
    evaluator.register_fn("partition", partition)?;
    evaluator.register_fn("range", range)?;
    evaluator.register_fn("hash", hash)?;
    evaluator.register_fn("parse", parse)?;
    evaluator.register_fn(BOUNDED, bound::bounded)?;
    evaluator.register_fn(BOUNDED_REPLACEMENT, bound::bounded_replacement())?;
    evaluator.register_fn(BOUNDED_JOIN, join)?;
    evaluator.register_fn(BOUNDED_REPLACE, replace)?;
    evaluator.register_fn_override("pad", pad)?;
    evaluator.register_fn_override("eval", |_: &[JValue]| -> HostResult {
        Err(EvaluatorError::TypeError("T1006: Attempted to invoke a non-function".into()))
    })?;
    let source = Rc::clone(&entropy);
    evaluator.register_fn("uuid", move |_: &[JValue]| -> HostResult {
        Ok(JValue::from(crate::intrinsic::uuid_of(source.next(), source.next())))
    })?;
    let source = Rc::clone(&entropy);
    evaluator.register_fn_override("random", move |args: &[JValue]| -> HostResult {
        let bits = match args.first() {
            None | Some(JValue::Undefined) => source.next(),
            Some(JValue::Number(seed)) => crate::intrinsic::mix(seed.to_bits()),
            Some(_) => return Err(wrong_argument(1, "random")),
        };
        // 53 bits are what a double holds.
        #[allow(clippy::cast_precision_loss)]
        Ok(JValue::Number((bits >> 11) as f64 / 9_007_199_254_740_992.0))
    })?;
    evaluator.register_fn_override("shuffle", move |args: &[JValue]| -> HostResult {
        let Some(list) = args.first().and_then(JValue::as_array) else {
            return Ok(args.first().cloned().unwrap_or(JValue::Undefined));
        };
        let mut shuffled = list.clone();
        for i in (1..shuffled.len()).rev() {
            let other = usize::try_from(entropy.next() % (i as u64 + 1)).unwrap_or(0);
            shuffled.swap(i, other);
        }
        Ok(JValue::array(shuffled))
    })
}

fn wrong_argument(position: usize, function: &str) -> EvaluatorError {
    EvaluatorError::TypeError(format!(
        "T0410: Argument {position} of function \"{function}\" does not match function signature"
    ))
}

fn failure(message: impl Into<String>) -> EvaluatorError {
    EvaluatorError::EvaluationError(message.into())
}

fn number(args: &[JValue], position: usize, function: &str) -> Result<f64, EvaluatorError> {
    let value = args.get(position - 1).and_then(JValue::as_f64);
    value.map(f64::floor).ok_or_else(|| wrong_argument(position, function))
}

fn text<'a>(args: &'a [JValue], position: usize, function: &str) -> Result<&'a str, EvaluatorError> {
    args.get(position - 1).and_then(JValue::as_str).ok_or_else(|| wrong_argument(position, function))
}

/// `$partition(list, size)`
fn partition(args: &[JValue]) -> HostResult {
    let list = match args.first() {
        Some(JValue::Undefined) | None => return Ok(JValue::Undefined),
        Some(JValue::Array(list)) => list,
        Some(_) => return Err(wrong_argument(1, "partition")),
    };
    let size = number(args, 2, "partition")?;
    if size < 1.0 {
        return Err(failure("The size of a partition must be positive"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let chunks = list.chunks(size as usize).map(|chunk| JValue::array(chunk.to_vec())).collect();
    Ok(JValue::array(chunks))
}

/// `$range(start, end, step)`: a sequence, of which a single element stands for itself.
fn range(args: &[JValue]) -> HostResult {
    let (start, end) = (number(args, 1, "range")?, number(args, 2, "range")?);
    let step = number(args, 3, "range")?;
    if step == 0.0 {
        return Err(failure("The step of a range must not be 0"));
    }
    let count = ((end - start) / step).floor() + 1.0;
    if count > RANGE_ITEMS_MAX {
        return Err(failure("A range must not have more than 1000 elements"));
    }
    let mut elements = Vec::new();
    let mut i = 0.0;
    while i < count {
        elements.push(JValue::Number(start + i * step));
        i += 1.0;
    }
    Ok(JValue::sequence(elements).unwrap_sequence())
}

/// `$hash(data, algorithm)`
fn hash(args: &[JValue]) -> HostResult {
    let (data, algorithm) = (text(args, 1, "hash")?, text(args, 2, "hash")?);
    hex_digest(algorithm, data.as_bytes()).map(JValue::from).ok_or_else(|| {
        failure(format!("The algorithm {algorithm} is not one of MD5, SHA-1, SHA-256, SHA-384, SHA-512"))
    })
}

/// `$parse(text)`: the value of a JSON text.
fn parse(args: &[JValue]) -> HostResult {
    if matches!(args.first(), None | Some(JValue::Undefined)) {
        return Ok(JValue::Undefined);
    }
    match json::parse(text(args, 1, "parse")?) {
        Ok(value) => Ok(convert::to_jsonata(&value)),
        Err(error) => Err(failure(error.message())),
    }
}

fn bounded(length: Option<usize>, function: &str) -> Result<(), EvaluatorError> {
    match length {
        Some(length) if length <= TEXT_BYTES_MAX => Ok(()),
        _ => Err(failure(format!("The result of ${function} is longer than {TEXT_BYTES_MAX} bytes"))),
    }
}

/// `$join(list, separator)`
fn join(args: &[JValue]) -> HostResult {
    let single;
    let list: &[JValue] = match args.first() {
        Some(JValue::Undefined) | None => return Ok(JValue::Undefined),
        Some(JValue::Array(list)) => list,
        Some(text @ JValue::String(_)) => {
            single = [text.clone()];
            &single
        }
        Some(_) => return Err(wrong_argument(1, "join")),
    };
    let separator = match args.get(1) {
        None | Some(JValue::Undefined) => "",
        Some(_) => text(args, 2, "join")?,
    };
    let mut parts = Vec::with_capacity(list.len());
    for element in list {
        let no_text = "T0412: Argument 1 of function \"join\" must be an array of \"s\"";
        parts.push(element.as_str().ok_or_else(|| EvaluatorError::TypeError(no_text.into()))?);
    }
    let texts = parts.iter().try_fold(0_usize, |sum, part| sum.checked_add(part.len()));
    let separators = separator.len().checked_mul(parts.len());
    bounded(texts.zip(separators).and_then(|(a, b)| a.checked_add(b)), "join")?;
    Ok(JValue::from(parts.join(separator)))
}

/// `$replace(text, pattern, replacement, limit)` where the replacement is a text.
fn replace(args: &[JValue]) -> HostResult {
    if matches!(args.first(), None | Some(JValue::Undefined)) {
        return Ok(JValue::Undefined);
    }
    let (source, replacement) = (text(args, 1, "replace")?, text(args, 3, "replace")?);
    let pattern = args.get(1).ok_or_else(|| wrong_argument(2, "replace"))?;
    let limit = match args.get(3) {
        None | Some(JValue::Undefined) => None,
        Some(JValue::Number(n)) if *n >= 0.0 =>
        {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Some(*n as usize)
        }
        Some(JValue::Number(_)) => {
            return Err(failure(
                "D3011: Fourth argument of replace function must evaluate to a positive number",
            ));
        }
        Some(_) => return Err(wrong_argument(4, "replace")),
    };
    let matches = match pattern {
        JValue::String(part) if part.is_empty() => {
            return Err(failure("D3010: Second argument of replace function cannot be an empty string"));
        }
        JValue::String(part) => source.matches(&**part).count(),
        _ => source.len() + 1,
    };
    let matches = limit.map_or(matches, |limit| matches.min(limit));
    // A group in the replacement can stand for the whole match each time it occurs.
    let groups = if matches!(pattern, JValue::String(_)) { 1 } else { replacement.matches('$').count() + 1 };
    let longest = replacement.len().checked_mul(matches).zip(source.len().checked_mul(groups));
    bounded(longest.and_then(|(a, b)| a.checked_add(b)), "replace")?;
    Ok(functions::string::replace(source, pattern, replacement, limit)?)
}

/// `$pad(text, width, character)`; the text comes first if it is to be padded on the right.
fn pad(args: &[JValue]) -> HostResult {
    if matches!(args.first(), None | Some(JValue::Undefined)) {
        return Ok(JValue::Undefined);
    }
    let (source, width) = (text(args, 1, "pad")?, number(args, 2, "pad")?);
    let filling = match args.get(2) {
        None | Some(JValue::Undefined) => " ",
        Some(_) => text(args, 3, "pad")?,
    };
    let filling = if filling.is_empty() { " " } else { filling };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let wanted = width.abs() as usize;
    let missing = wanted.saturating_sub(source.chars().count());
    bounded(missing.checked_mul(4).and_then(|n| n.checked_add(source.len())), "pad")?;
    let padding: String = filling.chars().cycle().take(missing).collect();
    Ok(JValue::from(if width < 0.0 { padding + source } else { source.to_owned() + &padding }))
}
