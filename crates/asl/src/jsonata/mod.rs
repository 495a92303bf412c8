//! JSONata: the expressions in `{% %}` of states whose query language it is.
//!
//! The language itself is the crate `jsonata-core`. Here expressions are compiled once ([`Expression`]), evaluated in
//! the surroundings of a state ([`Scope`]), given the functions that AWS adds, and kept within bounds of time, depth
//! and memory. `analyze` looks at the tree, `bound` puts measures into it, `convert` carries values over, `host` holds the functions, `problem` the
//! error texts.

mod analyze;
mod bound;
mod convert;
mod host;
mod problem;
mod scope;

use std::sync::Arc;

use jsonata_core::ast::AstNode;

pub use problem::{ExpressionProblem, QueryFailure};
pub use scope::{Scope, States};

use analyze::Analysis;

/// What the field of an expression may refer to besides the input and the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowed {
    /// `$states.result`
    pub result: bool,
    /// `$states.errorOutput`
    pub error_output: bool,
}

/// A compiled expression. It can be shared by threads; an evaluation belongs to one.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Arc<str>,
    tree: Arc<AstNode>,
    analysis: Arc<Analysis>,
}

/// The expression in `text` if it is one: `{% … %}` from the first character to the last. The inner text comes back
/// without blanks around it.
#[must_use]
pub fn expression_in(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}

impl Expression {
    /// Compiles the text between `{%` and `%}`.
    pub fn parse(text: &str, allowed: Allowed) -> Result<Expression, Vec<ExpressionProblem>> {
        let mut tree = jsonata_core::parser::parse(text).map_err(|e| vec![ExpressionProblem::syntax(&e)])?;
        let analysis = analyze::analyze(&mut tree);
        let problems = analysis.problems(allowed);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Expression { text: text.into(), tree: Arc::new(tree), analysis: Arc::new(analysis) })
    }

    /// The expression as it was written, without `{%` and `%}`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it looks at `$states.context`.
    #[must_use]
    pub fn reads_context(&self) -> bool {
        self.analysis.reads("context")
    }

    /// The variables that it reads and does not bind itself, sorted.
    #[must_use]
    pub fn free_variables(&self) -> &[Arc<str>] {
        &self.analysis.free_variables
    }
}
