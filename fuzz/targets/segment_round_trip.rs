//! Segments: what appends wrote is read again from any position on.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tailrace_core::fuzz::segment_round_trip::run(bytes));
