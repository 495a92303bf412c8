//! What AWS's own model of a service says about its requests, and the check of a request against it.
//!
//! Owns the table of facts ([`table`]), made from the model by `cargo run -p xtask -- api-model`, and the validator ([`validate`]) with AWS's texts. No operation has hand-written checks of members: an action sees only input that
//! satisfies its model.

pub mod table;
pub mod validate;

mod pattern;

use std::sync::OnceLock;

use table::Model;

/// The model of Step Functions, read once.
#[must_use]
pub fn step_functions() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        Model::parse(include_str!("stepfunctions.tsv"))
            .expect("the checked-in table is well formed; a test reads it")
    })
}
