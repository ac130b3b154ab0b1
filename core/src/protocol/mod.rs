//! The protocol's vocabulary as values: pure functions, no I/O, one noun a file.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `cache_control` | what caches may do with a response |
//! | `content_type` | media types, compared without parameters |
//! | `cors` | what scripts of other origins may send and read, and the fields of every response |
//! | `cursor` | what live clients echo, so that they ask for the same URLs |
//! | `error` | every refusal: stable code, status, message |
//! | `etag` | entity tags and `If-None-Match` |
//! | `expiry` | when a stream expires, and the slack of a sliding deadline |
//! | `fork` | the headers that ask for a fork |
//! | `header` | header names, and the two truth values |
//! | `http` | methods, header fields, responses |
//! | `incarnation` | tells a stream from others at the same URL, before and after it |
//! | `json` | JSON mode: splitting a body into messages |
//! | `lengths` | the lengths of messages that are stored together |
//! | `limits` | every limit, with its source |
//! | `live` | what a stream object sends to a waiting edge |
//! | `message` | what the edge sends to a stream object |
//! | `offset` | positions, their text, and where a read starts |
//! | `path` | projects and stream paths |
//! | `producer` | idempotent producers |
//! | `query` | percent-encoded query strings |
//! | `segment` | the object that a sealed segment becomes in R2 |
//! | `sse` | Server-Sent Events: data and control events as text |
//! | `waits` | how long live reads wait |

pub mod cache_control;
pub mod content_type;
pub mod cors;
pub mod cursor;
pub mod error;
pub mod etag;
pub mod expiry;
pub mod fork;
pub mod header;
pub mod http;
pub mod incarnation;
pub mod json;
pub mod lengths;
pub mod limits;
pub mod live;
pub mod message;
pub mod offset;
pub mod path;
pub mod producer;
pub mod query;
pub mod segment;
pub mod sse;
pub mod waits;

pub use cache_control::CacheControl;
pub use content_type::ContentType;
pub use error::{ErrorCode, Refusal};
pub use etag::ETag;
pub use expiry::Expiry;
pub use fork::ForkRequest;
pub use http::{Headers, Method, Response};
pub use incarnation::Incarnation;
pub use offset::{Offset, ReadFrom};
pub use path::{ObjectName, ProjectMode};
pub use producer::{ProducerId, ProducerStamp};
pub use waits::Waits;
