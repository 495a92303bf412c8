//! What the fuzz targets do with their bytes.
//!
//! The code lives with the tests of the crates, which run the inputs that were found once, and others, without a
//! fuzzer; here it only gets a name.

#[path = "../../crates/asl/tests/fuzzed/language.rs"]
pub mod language;
