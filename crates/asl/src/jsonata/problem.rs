//! Why an expression cannot be compiled or evaluated, in AWS's words.

use jsonata_core::parser::ParserError;

use crate::environment::StatesError;
use crate::value::Value;

/// What is wrong with the text of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionProblem {
    /// `INVALID_JSONATA_EXPRESSION` or `UNSUPPORTED_JSONATA_EXPRESSION`.
    pub code: &'static str,
    /// AWS's text.
    pub message: String,
}

impl ExpressionProblem {
    pub(super) fn unsupported(message: String) -> Self {
        ExpressionProblem { code: "UNSUPPORTED_JSONATA_EXPRESSION", message }
    }

    pub(super) fn syntax(error: &ParserError) -> Self {
        let message = match error {
            ParserError::UnexpectedEnd => "Unexpected end of expression".into(),
            ParserError::UnexpectedToken(token) if token == "Eof" => "Unexpected end of expression".into(),
            ParserError::UnexpectedToken(token) => {
                format!("The symbol {} cannot be used as a unary operator", symbol(token))
            }
            ParserError::Expected { expected, found } if found == "Eof" => {
                format!("Expected {} before end of expression", symbol(expected))
            }
            ParserError::Expected { expected, found } if expected != "parameter name" => {
                format!("Expected {}, got {}", symbol(expected), symbol(found))
            }
            other => {
                let text = other.to_string();
                let text = text.strip_prefix("Invalid syntax: ").unwrap_or(&text);
                match jsonata_core::evaluator::error_code_prefix(text) {
                    Some(code) => text[code.len() + 1..].trim_start().to_owned(),
                    None => text.to_owned(),
                }
            }
        };
        ExpressionProblem { code: "INVALID_JSONATA_EXPRESSION", message }
    }
}

/// A token of the library's parser as it stands in the text, in quotes.
fn symbol(token: &str) -> String {
    const SYMBOLS: [(&str, &str); 36] = [
        ("Plus", "+"),
        ("Minus", "-"),
        ("Star", "*"),
        ("StarStar", "**"),
        ("Slash", "/"),
        ("Percent", "%"),
        ("Equal", "="),
        ("NotEqual", "!="),
        ("LessThan", "<"),
        ("LessThanOrEqual", "<="),
        ("GreaterThan", ">"),
        ("GreaterThanOrEqual", ">="),
        ("And", "and"),
        ("Or", "or"),
        ("In", "in"),
        ("Ampersand", "&"),
        ("Dot", "."),
        ("DotDot", ".."),
        ("Question", "?"),
        ("QuestionQuestion", "??"),
        ("QuestionColon", "?:"),
        ("Colon", ":"),
        ("ColonEqual", ":="),
        ("TildeArrow", "~>"),
        ("LeftParen", "("),
        ("RightParen", ")"),
        ("LeftBracket", "["),
        ("RightBracket", "]"),
        ("LeftBrace", "{"),
        ("RightBrace", "}"),
        ("Comma", ","),
        ("Semicolon", ";"),
        ("Caret", "^"),
        ("Pipe", "|"),
        ("Hash", "#"),
        ("At", "@"),
    ];
    let named = SYMBOLS.iter().find(|(name, _)| *name == token).map(|(_, symbol)| *symbol);
    // Tokens with a content read `Identifier("x")`.
    let content = || {
        let inner = token.split_once('(')?.1.strip_suffix(')')?;
        Some(inner.trim_matches('"'))
    };
    format!("\"{}\"", named.or_else(content).unwrap_or(token))
}

/// The evaluation of an expression failed: a `States.QueryEvaluationError` with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryFailure {
    /// The error and its cause.
    pub error: StatesError,
    /// Where the expression stands: `Output/a/b`, `Arguments`, `Assign/x`. Nothing where AWS gives none.
    pub location: Option<String>,
}

impl QueryFailure {
    /// A failure at `location` with AWS's `cause`.
    #[must_use]
    pub fn new(location: &str, cause: String) -> Self {
        let error = StatesError { error: "States.QueryEvaluationError", cause, names_state: true };
        QueryFailure { error, location: Some(location.to_owned()) }
    }

    fn of_expression(expression: &str, location: &str, rest: &str) -> Self {
        let cause =
            format!("The JSONata expression '{expression}' specified for the field '{location}' {rest}");
        QueryFailure::new(location, cause)
    }

    pub(super) fn undefined(expression: &str, location: &str) -> Self {
        QueryFailure::of_expression(expression, location, "returned nothing (undefined).")
    }

    pub(super) fn unsupported_type(expression: &str, location: &str) -> Self {
        QueryFailure::of_expression(expression, location, "returned an unsupported result type.")
    }

    pub(super) fn evaluation(expression: &str, location: &str, error: &str) -> Self {
        QueryFailure::of_expression(
            expression,
            location,
            &format!("threw an error during evaluation. {error}"),
        )
    }

    /// The expression gave a value of another type than the field needs.
    #[must_use]
    pub fn unexpected_type(expression: &str, location: &str, expected: &str, value: &Value) -> Self {
        let rest = format!(
            "returned an unexpected result type. Expected '{expected}', but was '{}' for value: {value}",
            value.type_name()
        );
        QueryFailure::of_expression(expression, location, &rest)
    }
}
