//! What must hold for any bytes at all: bodies of the fuzz targets, which `cargo test` runs over the committed corpus
//! and near it. Each panics where the property does not hold.
//!
//! | file | what holds |
//! | --- | --- |
//! | `offset` | texts and row keys are positions, and the other way round |
//! | `json` | a body splits into the messages that a reader of its own finds |
//! | `segment_decode` | whatever is read as a segment is written again as the same bytes |
//! | `segment_round_trip` | a segment gives its appends again, from any position on |
//! | `sse` | events arrive as their payloads, and none is forged |

pub mod json;
pub mod offset;
pub mod segment_decode;
pub mod segment_round_trip;
pub mod sse;

/// A target.
pub struct Target {
    /// Its name, which is that of its program and of its corpus too.
    pub name: &'static str,
    /// Its body. Panics on a finding.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "json", run: json::run },
    Target { name: "offset", run: offset::run },
    Target { name: "segment-decode", run: segment_decode::run },
    Target { name: "segment-round-trip", run: segment_round_trip::run },
    Target { name: "sse", run: sse::run },
];
