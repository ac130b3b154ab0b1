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
//! | `invariant` | one file for each invariant |
//! | `reached` | marks that only a history shows |
//! | `fixture` | histories written by hand, for the tests of all of them |

mod case;
mod delivered;
mod derivation;
mod event_text;
#[cfg(test)]
mod fixture;
mod invariant;
mod log;
mod position;
pub mod reached;

use std::fmt;

use case::Case;
pub use log::{Log, Page, Placed};
pub use position::Position;

use crate::judge::history::History;

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
            Self::Durable => invariant::durable::check(case),
            Self::Exact => invariant::exact::check(case),
            Self::Once => invariant::once::check(case),
            Self::Linear => invariant::linear::check(case),
            Self::Stable => invariant::stable::check(case),
            Self::Closed => invariant::closed::check(case),
            Self::Expiry => invariant::expiry::check(case),
            Self::Cold => invariant::cold::check(case),
            Self::Answers => invariant::answers::check(case),
            Self::Live => invariant::live::check(case),
            Self::Calm => invariant::calm::check(case),
            Self::Awake => invariant::awake::check(case),
            Self::Cursors => invariant::cursors::check(case),
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
