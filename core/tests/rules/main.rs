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
//! | `duties` | what the alarm does: no duty holds up another |
//! | `readers` | what readers that wait cost an object |
//! | `refused_alarm` | an alarm that cannot be set undoes the transaction that needs it |
//! | `sealing` | when a segment ends, where its rows go, and what does not change |
//! | `cost` | a long log costs no more than a short one |
//! | `segments_left` | the segments of a URL are counted down |
//! | `small_messages` | the largest segments, of the smallest messages |
//! | `steps` | what may happen between two steps of the encoding of a segment |
//!
//! All cases act on a `url`, send what `request` defines, and are run by `step`; those of whole objects have a `host`.

mod append;
mod close;
mod cost;
mod create;
mod duties;
mod expiry;
mod host;
mod page_rows;
mod pages;
mod positions;
mod producers;
mod readers;
mod refused_alarm;
mod request;
mod sealing;
mod segments_left;
mod small_messages;
mod step;
mod steps;
mod stream_seq;
mod url;
