//! The rules of one stream, over a real SQLite. Each rule has a table of cases.
//!
//! After each step of each case, the object's memory is compared with what a fresh start would load from storage.
//!
//! | module | rule |
//! | --- | --- |
//! | `create` | when a stream is created, found, or refused, and what is left of an earlier one |
//! | `append` | bodies, messages, rows, limits and commit times |
//! | `close` | closing with and without content, and what a closed stream answers |
//! | `project` | projects: their keys and origins, and when KV is told |
//! | `producers` | epochs and sequence numbers |
//! | `stream_seq` | the writers' own order |
//! | `expiry` | sliding and fixed ends |
//! | `positions` | reads from every kind of position, hot and from R2 |
//! | `pages` | where a page ends |
//! | `page_rows` | what a page takes from storage |
//! | `sealing` | when a segment ends, where its rows go, and what does not change |
//! | `object` | whole objects: duties, steps of a rotation, readers, what is left of a stream |
//! | `text_end` | how a text ends before an offset |
//! | `size` | long logs, small messages, and room in the database |
//!
//! All cases act on a `url`, send what `request` defines, and are run by `step`; those of whole objects have a `host`, with a `kv`.

mod append;
mod close;
mod create;
mod expiry;
mod host;
mod kv;
mod object;
mod page_rows;
mod pages;
mod positions;
mod producers;
mod project;
mod request;
mod sealing;
mod size;
mod step;
mod stream_seq;
mod text_end;
mod url;
