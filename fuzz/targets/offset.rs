//! Offsets: texts and row keys are positions, and the other way round.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tailrace_core::fuzz::offset::run(bytes));
