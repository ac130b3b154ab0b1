//! All behaviour of Tailrace, without a runtime: no clock, no randomness, no threads.
//!
//! | module | what it holds | knows |
//! | --- | --- | --- |
//! | [`protocol`] | the vocabulary as values: pure functions | nothing below |
//! | [`storage`] | the synchronous SQL trait, its values, keys and schema | `protocol` |
//! | [`stream`] | the rules of one stream: a command in, an outcome out, each atomic | `protocol`, `storage` |
//! | [`runtime`] | the asynchronous traits that a host implements | `protocol`, `storage` |
//! | [`object`] | the Durable Object: decodes messages, calls `stream`, moves segments to R2 | all above |
//! | [`edge`] | the Worker: one future serves each request | `protocol`, `runtime` |
//!
//! Every module may know `mutant`: known bugs, compiled only under the feature `mutants`.
//! Under the feature `arbitrary` there is also `fuzz`: what must hold in `protocol`, `storage`, `stream` and `edge` for
//! any bytes.

// Futures of the platform are `!Send`, and no caller needs to name their bounds.
#![allow(async_fn_in_trait)]
// A panic loses the whole isolate: return an error instead, or choose a type that excludes the case. Tests may panic
// and measure time. clippy.toml names what else is not allowed.
#![cfg_attr(
    not(test),
    deny(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod edge;
#[cfg(feature = "arbitrary")]
pub mod fuzz;
pub mod mutant;
pub mod object;
pub mod protocol;
pub mod runtime;
pub mod storage;
pub mod stream;
