//! Offsets: they survive their text, and row keys their integer; both sort alike.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tailrace_core::fuzz::offset::run(bytes));
