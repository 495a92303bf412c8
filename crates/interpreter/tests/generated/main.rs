//! Tests that draw their own cases: replay, the arithmetic of `Retry`, the order of results. The cases are drawn by
//! proptest here and by the fuzzer elsewhere; what the fuzzer found lies under `inputs`.

// The inputs are files beside the test; the crate itself reads none.
#![allow(clippy::disallowed_methods)]
// A failure is of the input named last.
#![allow(clippy::print_stdout)]

mod bytes;
mod drive;
mod machine;
mod maps;
mod order;
mod replay;
mod retry;
