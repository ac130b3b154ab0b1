//! Segments: bytes that decode as a segment encode again as the same bytes, and nothing panics.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tailrace_core::fuzz::segment_decode::run(bytes));
