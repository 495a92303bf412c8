//! Feeds `drive::decide_bytes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stepwell_fuzz::drive::decide_bytes(bytes));
