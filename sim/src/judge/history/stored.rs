//! What the platform stores and bills, seen from outside.

use super::Moment;
use crate::world::Spell;

/// How much of a stream the platform still stores, seen after the run went quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The stream, an index of [`super::History::streams`].
    pub stream: usize,
    /// When.
    pub at: Moment,
    /// Rows of the log, of producers and of everything else that belongs to one incarnation.
    pub rows: u64,
    /// The tables, but for that of the tombstone.
    pub tables: Vec<String>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// What goes wrong has just ended.
    Calm,
    /// It ended so long ago that every sealed segment has gone to R2.
    CaughtUp,
    /// It ended so long ago that nothing is left to do.
    Settled,
}

/// What the platform bills an object for, beside its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awake {
    /// The stream that it is the object of, an index of [`super::History::streams`].
    pub stream: usize,
    /// The spells in which an instance of it was kept in memory by something to do, in virtual ms.
    pub spells: Vec<Spell>,
}

/// What R2 holds of a stream, beside what the stream's rows name, seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The stream, an index of [`super::History::streams`].
    pub stream: usize,
    /// When.
    pub at: Moment,
    /// How far the run was.
    pub stage: Stage,
    /// Keys that rows name and that no object has.
    pub missing: Vec<String>,
    /// Keys of objects that no row names.
    pub unnamed: Vec<String>,
    /// Sealed segments that are not in R2.
    pub waiting: u64,
    /// Sweeps and removals that the object has still to do.
    pub sweeps: u64,
}

/// The commit times of a stream's log, seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitTimes {
    /// The stream, an index of [`super::History::streams`].
    pub stream: usize,
    /// When they were looked at.
    pub at: Moment,
    /// Segment, first position and commit time in ms of each row, or frame in R2, in the order of the log.
    pub times: Vec<(u64, u64, u64)>,
}
