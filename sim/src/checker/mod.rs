//! Checkers: each judges one invariant from the public history alone (`awake` from what the platform bills, too). None fires on a correct service, however many
//! answers were lost.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `position` | offsets as clients may read them |
//! | `log` | the log of a stream as the answers describe it, and contradictions between them |
//! | `derivation` | that log, derived from answer after answer |
//! | `delivered`, `event_text` | what live readers were sent, and what of the log its text must be |
//! | `case` | one stream's history, prepared: who may have removed it, when it may have expired |
//! | `durable` | what was acknowledged is read until it is deleted or expires |
//! | `exact` | a page is exactly what the log holds between its offsets |
//! | `once` | a producer's tuple is in the log at most once; what was refused left no trace |
//! | `linear` | appends and strong reads happen in one order that real time agrees with |
//! | `stable` | an offset reads the same bytes as long as its incarnation lives, and means nothing to the next |
//! | `closed` | nothing follows a close, and everyone learns of it |
//! | `live` | when nothing goes wrong, whoever waits is told of what is written and of the end |
//! | `calm` | no reader asks often |
//! | `awake` | an object is billed only while it has work |
//! | `cursors` | readers at one position come to ask for the same URL, and for none twice in vain |
//! | `expiry` | not before the last touch and the TTL, not much later, and nothing stays behind |
//! | `cold` | R2 holds what the rows of a stream name, in time, and nothing else in the end |
//! | `answers` | requests are answered, and refused only for a reason |
//! | `reached` | marks that only a history shows |
//! | `fixture` | histories written by hand, for the tests of all of them |

mod answers;
mod awake;
mod calm;
mod case;
mod closed;
mod cold;
mod cursors;
mod delivered;
mod derivation;
mod durable;
mod event_text;
mod exact;
mod expiry;
#[cfg(test)]
mod fixture;
mod linear;
mod live;
mod log;
mod once;
mod position;
pub mod reached;
mod stable;

use std::fmt;

use case::Case;
pub use log::{Log, Page, Placed};
pub use position::Position;

use crate::history::History;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// An acknowledged append is in every later strong read until deletion or expiry.
    Durable,
    /// What is read between two offsets is exactly what the log holds there.
    Exact,
    /// A producer's tuple is in the log at most once; a stale epoch and a refused batch write nothing.
    Once,
    /// Strong reads and appends of one stream are linearizable.
    Linear,
    /// An emitted offset is unique and sortable, and reads the same bytes.
    Stable,
    /// Nothing after the close, and every reader learns of it.
    Closed,
    /// A stream ends no earlier and not much later than it should, and leaves nothing behind.
    Expiry,
    /// What a row names is in R2, what none names is not for long, and what is sealed gets there.
    Cold,
    /// Every request is answered; refusals have a reason.
    Answers,
    /// When nothing goes wrong any more, every live reader reaches the tail, and learns of the end, within a bound.
    Live,
    /// No reader sends more than a bounded number of requests a second.
    Calm,
    /// An object is billed only while it has work.
    Awake,
    /// Cursors grow and converge.
    Cursors,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Durable,
        Self::Exact,
        Self::Once,
        Self::Linear,
        Self::Stable,
        Self::Closed,
        Self::Expiry,
        Self::Cold,
        Self::Answers,
        Self::Live,
        Self::Calm,
        Self::Awake,
        Self::Cursors,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Exact => "exact",
            Self::Once => "once",
            Self::Linear => "linear",
            Self::Stable => "stable",
            Self::Closed => "closed",
            Self::Expiry => "expiry",
            Self::Cold => "cold",
            Self::Answers => "answers",
            Self::Live => "live",
            Self::Calm => "calm",
            Self::Awake => "awake",
            Self::Cursors => "cursors",
        }
    }

    fn check(self, case: &Case<'_>) -> Vec<Violation> {
        match self {
            Self::Durable => durable::check(case),
            Self::Exact => exact::check(case),
            Self::Once => once::check(case),
            Self::Linear => linear::check(case),
            Self::Stable => stable::check(case),
            Self::Closed => closed::check(case),
            Self::Expiry => expiry::check(case),
            Self::Cold => cold::check(case),
            Self::Answers => answers::check(case),
            Self::Live => live::check(case),
            Self::Calm => calm::check(case),
            Self::Awake => awake::check(case),
            Self::Cursors => cursors::check(case),
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// The stream's path.
    pub stream: String,
    /// The operations that show it, as indices of [`History::ops`].
    pub ops: Vec<usize>,
    /// How.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of stream {}: {}", self.invariant, self.stream, self.message)
    }
}

/// Judges a whole history.
pub fn check(history: &History) -> Vec<Violation> {
    let cases = (0..history.streams.len()).map(|stream| Case::new(history, stream));
    cases
        .flat_map(|case| {
            Invariant::ALL.into_iter().flat_map(move |invariant| invariant.check(&case)).collect::<Vec<_>>()
        })
        .collect()
}
