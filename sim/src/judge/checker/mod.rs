//! Checkers: each judges one invariant from the public history (`awake` also from what the platform bills, `cold` and
//! `expiry` also from what is stored). None fires on a correct service, however many answers were lost.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `log_position` | offsets as clients may read them |
//! | `log` | the log of a stream as the answers describe it, and contradictions between them |
//! | `derivation` | that log, derived from answer after answer |
//! | `delivered` | what live readers were sent, placed in the log |
//! | `passage`, `event_text` | the events of a text that a reader was sent, and what of the log they must be |
//! | `attendance` | whether a reader was connected to a stream for sure |
//! | `touches` | which requests may have started a sliding TTL anew |
//! | `case` | one stream's history, prepared: who may have removed it, when it may have expired |
//! | `publicity` | which streams at a URL everybody may read |
//! | `reader_keys` | which reader key a stream had when |
//! | `keepers` | who may keep what an answer says of a stream |
//! | `told` | what caches were told of an answer |
//! | `crowded` | whether an isolate may have been full of request bodies |
//! | `fullness` | whether a stream can have been as full as a refusal says, and who may have lost its place |
//! | `invariant` | one file for each invariant, and their table |
//! | `violation` | an invariant that does not hold |
//! | `reached` | marks that only a history shows |
//! | `fixture` | histories written by hand, for the tests of all of them |

mod attendance;
mod case;
mod crowded;
mod delivered;
mod derivation;
mod event_text;
#[cfg(test)]
mod fixture;
mod fullness;
mod invariant;
mod keepers;
mod log;
mod log_position;
mod passage;
mod publicity;
pub mod reached;
mod reader_keys;
mod told;
mod touches;
mod violation;

use tailrace_core::runtime::Mark;

use case::Case;
pub use invariant::Invariant;
pub use log::{Log, Page, Placed};
pub use log_position::LogPosition;
pub use violation::Violation;

use crate::judge::history::History;

/// What a history shows: which invariants do not hold in it, and what it reached.
pub fn check(history: &History) -> (Vec<Violation>, Vec<Mark>) {
    let cases: Vec<Case<'_>> = (0..history.streams.len()).map(|stream| Case::new(history, stream)).collect();
    let judged = cases.iter().flat_map(|case| Invariant::ALL.iter().map(move |invariant| (invariant, case)));
    let violations = judged.flat_map(|(invariant, case)| invariant::check(*invariant, case)).collect();
    (violations, reached::reached(&cases))
}
