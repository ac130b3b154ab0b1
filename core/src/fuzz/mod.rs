//! What must hold for any bytes: the functions of the fuzz targets, which `cargo test` runs over the committed corpus
//! and variants of it. Each panics if its property does not hold.
//!
//! | file | what holds |
//! | --- | --- |
//! | `offset` | offsets survive their text, and row keys their integer; both sort alike |
//! | `json` | a body splits into the messages that an independent reader finds |
//! | `segment_decode` | whatever is read as a segment is written again as the same bytes |
//! | `segment_round_trip` | a segment gives its appends again, from any position on |
//! | `sse` | events arrive as their payloads, and none is forged |
//! | `token` | no token is valid that was not signed as it is |

pub mod json;
pub mod offset;
pub mod segment_decode;
pub mod segment_round_trip;
pub mod sse;
pub mod token;

/// A target.
pub struct Target {
    /// Its name, which its program and its corpus have too.
    pub name: &'static str,
    /// Runs it. Panics on a finding.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "json", run: json::run },
    Target { name: "offset", run: offset::run },
    Target { name: "segment-decode", run: segment_decode::run },
    Target { name: "segment-round-trip", run: segment_round_trip::run },
    Target { name: "sse", run: sse::run },
    Target { name: "token", run: token::run },
];
