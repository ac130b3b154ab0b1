//! The rules of one stream, over a real SQLite. Each rule has a table of cases.
//!
//! After each step of each case, the object's memory is compared with what a fresh start would load from storage.
//!
//! | module | rule |
//! | --- | --- |
//! | `create` | when a stream is created, found, or refused, and what is left of an earlier one |
//! | `append` | bodies, messages, rows, limits and commit times |
//! | `close` | closing with and without content, and what a closed stream answers |
//! | `producers` | epochs and sequence numbers |
//! | `stream_seq` | the writers' own order |
//! | `expiry` | sliding and fixed ends |
//! | `positions` | reads from every kind of position, hot and from R2 |
//! | `pages` | where a page ends |
//! | `page_rows` | what a page takes from storage |
//! | `fan_out` | what a write sends to many readers |
//! | `large_events` | events whose text is longer than one answer may be |
//! | `duties` | what the alarm does: no duty holds up another |
//! | `refused_alarm` | an alarm that cannot be set undoes the transaction that needs it |
//! | `sealing` | when a segment ends, where its rows go, and what does not change |
//!
//! All cases act on a `url`, send what `request` defines, and are run by `step`; those of whole objects have a `host`.

mod append;
mod close;
mod create;
mod duties;
mod expiry;
mod fan_out;
mod host;
mod large_events;
mod page_rows;
mod pages;
mod positions;
mod producers;
mod refused_alarm;
mod request;
mod sealing;
mod step;
mod stream_seq;
mod url;
