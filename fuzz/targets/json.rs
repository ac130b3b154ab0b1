//! JSON mode: a body splits into the messages that an independent reader finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tailrace_core::fuzz::json::run(bytes));
