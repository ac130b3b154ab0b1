//! Tokens: none is valid that was not signed as it is.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tailrace_core::fuzz::token::run(bytes));
