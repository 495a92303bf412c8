//! Conditions of a Choice: all comparison operators of the States Language under the names that the CDK gives them.

use serde_json::{Map, Value};

use crate::NESTING_MAX;
use crate::language::is_expression;
use crate::values::Number;

/// A test of the data, for [`crate::Choice::when`].
///
/// ```
/// use stepwell_cdk::Condition;
///
/// let condition = Condition::and([
///     Condition::is_numeric("$.counter"),
///     Condition::not(Condition::number_less_than("$.counter", 10)),
/// ]);
/// assert_eq!(
///     condition.to_json().to_string(),
///     r#"{"And":[{"Variable":"$.counter","IsNumeric":true},{"Not":{"Variable":"$.counter","NumericLessThan":10}}]}"#
/// );
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    rule: Map<String, Value>,
    depth: usize,
    problem: Option<Problem>,
}

/// Why a condition cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    NotFinite,
    TooDeep,
    NoExpression,
}

/// Operators without a second operand: `is_x`, and `is_not_x` for its opposite.
macro_rules! type_tests {
    ($($name:ident $not:ident $field:literal $what:literal;)*) => {
        impl Condition {
            $(
                #[doc = concat!("The value at `variable` ", $what, ".")]
                #[must_use]
                pub fn $name(variable: impl Into<String>) -> Condition {
                    Condition::compare(variable, $field, true)
                }

                #[doc = concat!("Not: the value at `variable` ", $what, ".")]
                #[must_use]
                pub fn $not(variable: impl Into<String>) -> Condition {
                    Condition::compare(variable, $field, false)
                }
            )*
        }
    };
}

type_tests! {
    is_present is_not_present "IsPresent" "exists, be it `null`";
    is_string is_not_string "IsString" "is a string";
    is_numeric is_not_numeric "IsNumeric" "is a number";
    is_boolean is_not_boolean "IsBoolean" "is `true` or `false`";
    is_timestamp is_not_timestamp "IsTimestamp" "is a string with an RFC 3339 timestamp";
    is_null is_not_null "IsNull" "is `null`";
}

/// Operators with a second operand: a literal, or what is at a path.
macro_rules! comparisons {
    ($($name:ident $path:ident $field:literal $kind:tt $what:literal;)*) => {
        impl Condition {
            $(
                comparisons!(@literal $kind $name $field $what);

                #[doc = concat!("The value at `variable` ", $what, " the one at the path `value`.")]
                #[must_use]
                pub fn $path(variable: impl Into<String>, value: impl Into<String>) -> Condition {
                    Condition::compare(variable, concat!($field, "Path"), value.into())
                }
            )*
        }
    };
    (@literal text $name:ident $field:literal $what:literal) => {
        #[doc = concat!("The value at `variable` ", $what, " `value`.")]
        #[must_use]
        pub fn $name(variable: impl Into<String>, value: impl Into<String>) -> Condition {
            Condition::compare(variable, $field, value.into())
        }
    };
    (@literal flag $name:ident $field:literal $what:literal) => {
        #[doc = concat!("The value at `variable` ", $what, " `value`.")]
        #[must_use]
        pub fn $name(variable: impl Into<String>, value: bool) -> Condition {
            Condition::compare(variable, $field, value)
        }
    };
    (@literal number $name:ident $field:literal $what:literal) => {
        #[doc = concat!("The value at `variable` ", $what, " `value`.")]
        #[must_use]
        pub fn $name(variable: impl Into<String>, value: impl Into<Number>) -> Condition {
            Condition::number(variable, $field, value.into())
        }
    };
}

comparisons! {
    boolean_equals boolean_equals_json_path "BooleanEquals" flag "is the boolean";
    string_equals string_equals_json_path "StringEquals" text "is the string";
    string_less_than string_less_than_json_path "StringLessThan" text "is a string that sorts before";
    string_less_than_equals string_less_than_equals_json_path "StringLessThanEquals" text "is a string that is or sorts before";
    string_greater_than string_greater_than_json_path "StringGreaterThan" text "is a string that sorts after";
    string_greater_than_equals string_greater_than_equals_json_path "StringGreaterThanEquals" text "is a string that is or sorts after";
    number_equals number_equals_json_path "NumericEquals" number "is the number";
    number_less_than number_less_than_json_path "NumericLessThan" number "is a number less than";
    number_less_than_equals number_less_than_equals_json_path "NumericLessThanEquals" number "is a number not greater than";
    number_greater_than number_greater_than_json_path "NumericGreaterThan" number "is a number greater than";
    number_greater_than_equals number_greater_than_equals_json_path "NumericGreaterThanEquals" number "is a number not less than";
    timestamp_equals timestamp_equals_json_path "TimestampEquals" text "is the same instant as";
    timestamp_less_than timestamp_less_than_json_path "TimestampLessThan" text "is before";
    timestamp_less_than_equals timestamp_less_than_equals_json_path "TimestampLessThanEquals" text "is not after";
    timestamp_greater_than timestamp_greater_than_json_path "TimestampGreaterThan" text "is after";
    timestamp_greater_than_equals timestamp_greater_than_equals_json_path "TimestampGreaterThanEquals" text "is not before";
}

impl Condition {
    /// The string at `variable` matches `pattern`, where `*` stands for any characters and `\\*` for a star.
    #[must_use]
    pub fn string_matches(variable: impl Into<String>, pattern: impl Into<String>) -> Condition {
        Condition::compare(variable, "StringMatches", pattern.into())
    }

    /// The expression in JSONata gives `true`; for a Choice in JSONata, where no other condition is of use.
    ///
    /// ```
    /// use stepwell_cdk::{Choice, Condition, Succeed};
    ///
    /// let ready = Condition::jsonata("{% $states.input.status = 'READY' and $states.input.parts > 0 %}");
    /// let choice = Choice::jsonata("Ready?").when(ready, Succeed::new("Yes"));
    /// # let _ = choice;
    /// ```
    #[must_use]
    pub fn jsonata(expression: impl Into<String>) -> Condition {
        let expression = expression.into();
        let problem = (!is_expression(&expression)).then_some(Problem::NoExpression);
        let rule = Map::from_iter([("Condition".to_owned(), Value::String(expression))]);
        Condition { rule, depth: 0, problem }
    }

    /// All of `conditions` hold; at least one must be given.
    #[must_use]
    pub fn and(conditions: impl IntoIterator<Item = Condition>) -> Condition {
        Condition::combine("And", conditions)
    }

    /// At least one of `conditions` holds; at least one must be given.
    #[must_use]
    pub fn or(conditions: impl IntoIterator<Item = Condition>) -> Condition {
        Condition::combine("Or", conditions)
    }

    /// `condition` does not hold.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "the CDK's name, next to `and` and `or`")]
    pub fn not(condition: Condition) -> Condition {
        let Condition { rule, depth, problem } = condition;
        Condition::nested(Map::from_iter([("Not".to_owned(), Value::Object(rule))]), depth + 1, problem)
    }

    /// The condition as it is written in a rule, without `Next`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.rule.clone())
    }

    pub(crate) fn into_parts(self) -> (Map<String, Value>, Option<Problem>) {
        (self.rule, self.problem)
    }

    fn compare(variable: impl Into<String>, operator: &str, operand: impl Into<Value>) -> Condition {
        let mut rule = Map::new();
        rule.insert("Variable".to_owned(), Value::String(variable.into()));
        rule.insert(operator.to_owned(), operand.into());
        Condition { rule, depth: 0, problem: None }
    }

    fn number(variable: impl Into<String>, operator: &str, operand: Number) -> Condition {
        let number = operand.to_json();
        let problem = number.is_none().then_some(Problem::NotFinite);
        Condition { problem, ..Condition::compare(variable, operator, number.unwrap_or_default()) }
    }

    fn combine(operator: &str, conditions: impl IntoIterator<Item = Condition>) -> Condition {
        let (mut rules, mut depth, mut problem) = (Vec::new(), 0, None);
        for condition in conditions {
            depth = depth.max(condition.depth);
            problem = problem.or(condition.problem);
            rules.push(Value::Object(condition.rule));
        }
        let rule = Map::from_iter([(operator.to_owned(), Value::Array(rules))]);
        Condition::nested(rule, depth + 1, problem)
    }

    /// Too deep a tree is cut at once: a loop that nests conditions must not grow one that cannot even be dropped.
    fn nested(rule: Map<String, Value>, depth: usize, problem: Option<Problem>) -> Condition {
        if depth > NESTING_MAX {
            return Condition { rule: Map::new(), depth: 0, problem: Some(Problem::TooDeep) };
        }
        Condition { rule, depth, problem }
    }
}
