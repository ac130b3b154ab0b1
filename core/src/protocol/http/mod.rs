//! What of HTTP the protocol speaks: methods, header fields, responses, and what is in them.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `method` | request methods |
//! | `percent` | percent-encoding |
//! | `query` | percent-encoded query strings |
//! | `header` | header names, and the two truth values |
//! | `fields` | header fields in order, and as text |
//! | `field_value` | values that are stored, compared or told again: ASCII alone |
//! | `response` | responses |
//! | `cache_control` | what caches may do with a response |
//! | `content_type` | media types, compared without parameters |
//! | `cors` | what scripts of other origins may send and read |
//! | `etag` | entity tags and `If-None-Match` |

pub mod cache_control;
pub mod content_type;
pub mod cors;
pub mod etag;
pub mod field_value;
mod fields;
pub mod header;
mod method;
pub mod percent;
pub mod query;
mod response;

pub use cache_control::CacheControl;
pub use content_type::ContentType;
pub use etag::ETag;
pub use fields::Headers;
pub use method::Method;
pub use response::Response;
