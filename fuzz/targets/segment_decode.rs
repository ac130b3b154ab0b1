//! Segments: whatever is read as one is written again as the same bytes, and nothing panics.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tailrace_core::fuzz::segment_decode::run(bytes));
