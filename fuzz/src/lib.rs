//! What the fuzz targets do with their bytes.
//!
//! The code lives with the tests of the crates, which run the inputs that were found once, and others, without a
//! fuzzer; here it only gets a name.

#[path = "../../crates/asl/tests/fuzzed/language.rs"]
pub mod language;

#[path = "../../crates/interpreter/tests/generated/bytes.rs"]
pub mod bytes;
#[path = "../../crates/interpreter/tests/generated/drive.rs"]
pub mod drive;
#[path = "../../crates/interpreter/tests/generated/machine.rs"]
pub mod machine;
