//! Bounds on what an expression builds. The library limits time, recursion and the length of lists, but one operation
//! can outrun all three: a text doubled thirty times, a list spread into itself, two values compared that share their
//! parts so often that the comparison never ends. So every place where something can grow gets its operands through a
//! function that measures them.

use std::cell::Cell;

use jsonata_core::ast::{AstNode, BinaryOp};
use jsonata_core::evaluator::EvaluatorError;
use jsonata_core::value::JValue;

/// The function that measures: a value and its limit in bytes of JSON text.
pub(super) const BOUNDED: &str = "bounded";
/// The function through which a function's replacements for `$replace` go.
pub(super) const BOUNDED_REPLACEMENT: &str = "boundedReplacement";

/// Largest operand of an operation that makes or compares texts, in bytes. Payloads end at 256 KiB.
pub(super) const OPERAND_BYTES_MAX: usize = 4 << 20;
/// Longest text that is taken apart.
const PARTED_BYTES_MAX: usize = 512 << 10;
/// What all members of a constructor may have together.
const CONSTRUCTOR_BYTES_MAX: usize = 8 << 20;
/// What each member may have anyhow, so that a large payload fits into a constructor of many members.
const MEMBER_BYTES_MIN: usize = 300_000;
/// How many members may profit from that.
const LARGE_MEMBERS_MAX: usize = 1000;
/// What all replacements in one evaluation may have together.
const REPLACEMENT_BYTES_MAX: usize = 64 << 20;

/// Puts the measuring function around the operands of `node` that need it.
pub(super) fn measure(node: &mut AstNode) {
    match node {
        AstNode::Binary { op, lhs, rhs } => {
            if matches!(op, BinaryOp::Concatenate | BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::In) {
                wrap(lhs, OPERAND_BYTES_MAX);
                wrap(rhs, OPERAND_BYTES_MAX);
            } else if *op == BinaryOp::ChainPipe {
                wrap(lhs, OPERAND_BYTES_MAX);
            }
        }
        AstNode::Array(items) | AstNode::ArrayGroup(items) => {
            let limit = member_limit(items.len());
            items.iter_mut().for_each(|item| wrap(item, limit));
        }
        AstNode::Object(pairs) | AstNode::ObjectTransform { pattern: pairs, .. } => {
            let limit = member_limit(pairs.len());
            pairs.iter_mut().for_each(|(_, value)| wrap(value, limit));
        }
        AstNode::Function { name, args, .. } => {
            let limit = match name.as_str() {
                "string" | "distinct" | "contains" | "base64encode" | "encodeUrl" | "encodeUrlComponent" => {
                    OPERAND_BYTES_MAX
                }
                "split" | "match" | "replace" => PARTED_BYTES_MAX,
                _ => return,
            };
            if name == "replace"
                && let Some(AstNode::Lambda { body, .. }) = args.last_mut()
            {
                let inner = std::mem::replace(&mut **body, AstNode::Null);
                **body = call(BOUNDED_REPLACEMENT, vec![inner]);
            }
            if let Some(first) = args.first_mut() {
                wrap(first, limit);
            }
        }
        _ => {}
    }
}

fn member_limit(members: usize) -> usize {
    let share = CONSTRUCTOR_BYTES_MAX / members.max(1);
    if members <= LARGE_MEMBERS_MAX { share.max(MEMBER_BYTES_MIN) } else { share }
}

fn wrap(node: &mut AstNode, limit: usize) {
    let can_be_large = match node {
        AstNode::Variable(_)
        | AstNode::Path { .. }
        | AstNode::Call { .. }
        | AstNode::Conditional { .. }
        | AstNode::Block(_)
        | AstNode::FunctionApplication(_)
        | AstNode::ObjectTransform { .. }
        | AstNode::Sort { .. } => true,
        AstNode::Function { name, .. } => name != BOUNDED,
        AstNode::Binary { op, .. } => matches!(
            op,
            BinaryOp::Concatenate
                | BinaryOp::Coalesce
                | BinaryOp::Default
                | BinaryOp::ChainPipe
                | BinaryOp::ColonEqual
        ),
        _ => false,
    };
    if can_be_large {
        let inner = std::mem::replace(node, AstNode::Null);
        #[allow(clippy::cast_precision_loss)]
        let limit = AstNode::Number(limit as f64);
        *node = call(BOUNDED, vec![inner, limit]);
    }
}

fn call(name: &str, args: Vec<AstNode>) -> AstNode {
    AstNode::Function { name: name.to_owned(), args, is_builtin: true }
}

/// The measuring function: gives its first argument back unless it is larger than the second says.
pub(super) fn bounded(args: &[JValue]) -> Result<JValue, EvaluatorError> {
    let value = args.first().cloned().unwrap_or(JValue::Undefined);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let limit = args.get(1).and_then(JValue::as_f64).unwrap_or(0.0) as usize;
    match size(&value, limit) {
        Some(_) => Ok(value),
        None => Err(EvaluatorError::EvaluationError(format!("A value is larger than {limit} bytes"))),
    }
}

/// Measures what all replacements of one evaluation come to.
pub(super) fn bounded_replacement() -> impl Fn(&[JValue]) -> Result<JValue, EvaluatorError> {
    let left = Cell::new(REPLACEMENT_BYTES_MAX);
    move |args| {
        let value = args.first().cloned().unwrap_or(JValue::Undefined);
        let rest = size(&value, left.get()).and_then(|size| left.get().checked_sub(size));
        match rest {
            Some(rest) => {
                left.set(rest);
                Ok(value)
            }
            None => {
                let message = format!("The replacements are larger than {REPLACEMENT_BYTES_MAX} bytes");
                Err(EvaluatorError::EvaluationError(message))
            }
        }
    }
}

/// About how many bytes the JSON text of a value has; nothing if it is more than `limit`, in which case only as much
/// was looked at. Without recursion, as a value can be nested to any depth.
fn size(value: &JValue, limit: usize) -> Option<usize> {
    let mut left = limit;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        let own = match value {
            JValue::String(text) => text.len() + 2,
            JValue::Array(list) => {
                left = left.checked_sub(list.len())?;
                open.extend(list.iter());
                2
            }
            JValue::Object(members) => {
                left = left.checked_sub(members.len())?;
                for (name, value) in members.iter() {
                    left = left.checked_sub(name.len() + 3)?;
                    open.push(value);
                }
                2
            }
            _ => 1,
        };
        left = left.checked_sub(own)?;
    }
    Some(limit - left)
}
