//! The protocol's vocabulary as values: pure functions, no I/O, one noun a file.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `address` | how objects are addressed: by class and name |
//! | `cache` | what caches may keep: policies as values |
//! | `cursor` | what live clients echo, so that they ask for the same URLs |
//! | `error` | every refusal: stable code, status, message |
//! | `expiry` | when a stream expires, and the slack of a sliding deadline |
//! | `fork` | the headers that ask for a fork |
//! | `http` | methods, header fields, responses, and what is in them |
//! | `incarnation` | tells a stream from others at the same URL, before and after it |
//! | `json` | JSON mode: splitting a body into messages |
//! | `lengths` | the lengths of messages that are stored together |
//! | `limits` | every limit, with its source |
//! | `live` | what a stream object sends to a waiting edge |
//! | `memory_limits` | what may be in the memory of one isolate at a time |
//! | `members` | the members of a JSON object, each of which is there once |
//! | `message` | what the edge sends to a stream object |
//! | `offset` | positions, their text, and where a read starts |
//! | `path` | projects and stream paths |
//! | `producer` | idempotent producers |
//! | `project` | the keys and origins of a project |
//! | `reader` | who reads, as far as objects and caches are told |
//! | `segment` | the object that a sealed segment becomes in R2 |
//! | `sse` | Server-Sent Events: data and control events as text |
//! | `text_end` | how a text ends, as far as that decides what becomes of the bytes after it |
//! | `waits` | how long live reads wait |

pub mod address;
pub mod cache;
pub mod cursor;
pub mod error;
pub mod expiry;
pub mod fork;
pub mod http;
pub mod incarnation;
pub mod json;
pub mod lengths;
pub mod limits;
pub mod live;
pub(crate) mod members;
pub mod memory_limits;
pub mod message;
pub mod offset;
pub mod path;
pub mod producer;
pub mod project;
pub mod reader;
pub mod segment;
pub mod sse;
pub mod text_end;
pub mod waits;

pub use address::{Address, Class};
pub use cache::CachePolicy;
pub use error::{ErrorCode, Refusal};
pub use expiry::Expiry;
pub use fork::ForkRequest;
pub use http::{
    CacheControl, ContentType, ETag, Headers, Method, Response, cors, etag, field_value, header, percent, query,
};
pub use incarnation::Incarnation;
pub use memory_limits::MemoryLimits;
pub use offset::{Offset, ReadFrom};
pub use path::{ObjectName, ProjectMode};
pub use producer::{ProducerId, ProducerStamp};
pub use project::{KeyRing, Origins};
pub use reader::{Admission, ReaderKey, ReaderKeyDigest, Readership};
pub use text_end::TextEnd;
pub use waits::Waits;
