//! How an operation of the edge has ended, as JavaScript tells it: one of these numbers, or a count of bytes.
//!
//! JavaScript has a few more numbers. Rust does not name them, as each is what is left when all others are excluded: a
//! call that was reset (-1), a closed socket (24), an upload that broke off (42),
//! that what a cache was asked to do is over (15), and that a limit could not be asked, or KV (52). A look-up that found nothing is told by the number of KV that has
//! nothing.

use tailrace_core::runtime::CallError;

/// Failures of calls, and of replies that break off.
pub(crate) const OVERLOADED: i64 = -2;
pub(crate) const EXCEPTION: i64 = -3;
/// `pushReply`: the client is gone.
pub(crate) const NOBODY: i64 = -4;
/// `call`, `ask_inner`; `REPLY` of `look_up` too
pub(crate) const REPLY: i64 = 10;
pub(crate) const SOCKET: i64 = 11;
/// `keep`, `landing`
pub(crate) const KEPT: i64 = 12;
/// `landing`: `KEPT`, and the answer is a second old or more
pub(crate) const AGED: i64 = 16;
/// `landing`
pub(crate) const NOTED: i64 = 13;
/// `next`, `pipe`; `TIMED_OUT` of `landing` and `sleep` too
pub(crate) const MESSAGE: i64 = 20;
pub(crate) const TIMED_OUT: i64 = 21;
pub(crate) const OVERFLOW: i64 = 22;
pub(crate) const GONE: i64 = 23;
/// `is_within`
pub(crate) const WITHIN: i64 = 50;
pub(crate) const TOO_OFTEN: i64 = 51;
/// `read_kv`, `list_kv`
pub(crate) const TOLD: i64 = 53;
/// `read_kv`
pub(crate) const ABSENT: i64 = 14;
/// `drained`
pub(crate) const TAKEN: i64 = 30;
pub(crate) const STALLED: i64 = 31;
/// `read`
pub(crate) const WHOLE: i64 = 40;
pub(crate) const BEYOND: i64 = 41;
pub(crate) const DROPPED: i64 = 43;

/// A failure of a call; `words` are for operators.
pub(crate) fn call_error(outcome: i64, words: String) -> CallError {
    match outcome {
        OVERLOADED => CallError::Overloaded,
        EXCEPTION => CallError::Exception(words),
        _ => CallError::Reset,
    }
}
