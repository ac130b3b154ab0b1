//! JSON mode: a body is split as a reader of its own splits it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tailrace_core::fuzz::json::run(bytes));
