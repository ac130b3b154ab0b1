//! Server-Sent Events: a reader that follows the HTML standard gets the payloads and nothing else.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tailrace_core::fuzz::sse::run(bytes));
