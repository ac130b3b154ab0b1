//! Known bugs that the simulator switches on by name, to prove that its checkers catch them.
//!
//! Without the cargo feature `mutants` nothing of this is compiled: [`mutated!`] is then the constant `false`.

/// A known bug of core.
#[cfg(feature = "mutants")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A producer's retry is appended once more.
    DedupeOff,
    /// A producer's sequence is compared without its epoch, so that a new epoch looks like a retry.
    DedupeWithoutEpoch,
    /// An append of several rows moves the tail past its first row only.
    TailNotMoved,
    /// After a restart the tail is taken before the last row instead of behind it.
    OffsetReusedAfterCrash,
    /// A read does not extend a sliding TTL.
    ExpiryBeforeLastTouch,
    /// A long-poll that finds nothing waits for what comes after it has joined, not after it has looked.
    LostWakeUp,
    /// Events go on at the tail of the moment in which they join, not where the catch-up ended.
    CatchUpNotJoined,
    /// After hibernation nobody is known to wait.
    ModeInMemory,
    /// Closing a stream wakes nobody.
    CloseNotPushed,
    /// A long-poll in vain answers the client's own cursor.
    CursorRepeats,
    /// A long-poll in vain answers a cursor that no other reader has.
    CursorNeverConverges,
    /// All attempts to store a segment share one key.
    KeyWithoutAttempt,
    /// A rotation drops the rows of a segment before it has stored and recorded it.
    RowsDroppedBeforeRecord,
    /// A rotation takes the end of what it has stored from the tail at the end of the put.
    BoundaryAtEndOfPut,
    /// A stream created again counts its segments as its predecessor did and finds that one's in R2.
    RecreatedStreamReusesObjects,
    /// The tail of a recorded segment is spelled as the start of the next one.
    OffsetReencodedAtRotation,
    /// The sweep takes the latest recorded segment for an orphan.
    SweepRemovesLiveObject,
    /// The duty to remove a stream's objects is struck before they are removed.
    DeletionForgottenAtCrash,
}

#[cfg(feature = "mutants")]
impl Mutant {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::DedupeOff,
        Self::DedupeWithoutEpoch,
        Self::TailNotMoved,
        Self::OffsetReusedAfterCrash,
        Self::ExpiryBeforeLastTouch,
        Self::LostWakeUp,
        Self::CatchUpNotJoined,
        Self::ModeInMemory,
        Self::CloseNotPushed,
        Self::CursorRepeats,
        Self::CursorNeverConverges,
        Self::KeyWithoutAttempt,
        Self::RowsDroppedBeforeRecord,
        Self::BoundaryAtEndOfPut,
        Self::RecreatedStreamReusesObjects,
        Self::OffsetReencodedAtRotation,
        Self::SweepRemovesLiveObject,
        Self::DeletionForgottenAtCrash,
    ];

    /// The name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::DedupeOff => "dedupe-off",
            Self::DedupeWithoutEpoch => "dedupe-without-epoch",
            Self::TailNotMoved => "tail-not-moved",
            Self::OffsetReusedAfterCrash => "offset-reused-after-crash",
            Self::ExpiryBeforeLastTouch => "expiry-before-last-touch",
            Self::LostWakeUp => "lost-wake-up",
            Self::CatchUpNotJoined => "catch-up-not-joined",
            Self::ModeInMemory => "mode-in-memory",
            Self::CloseNotPushed => "close-not-pushed",
            Self::CursorRepeats => "cursor-repeats",
            Self::CursorNeverConverges => "cursor-never-converges",
            Self::KeyWithoutAttempt => "key-without-attempt",
            Self::RowsDroppedBeforeRecord => "rows-dropped-before-record",
            Self::BoundaryAtEndOfPut => "boundary-at-end-of-put",
            Self::RecreatedStreamReusesObjects => "recreated-stream-reuses-objects",
            Self::OffsetReencodedAtRotation => "offset-reencoded-at-rotation",
            Self::SweepRemovesLiveObject => "sweep-removes-live-object",
            Self::DeletionForgottenAtCrash => "deletion-forgotten-at-crash",
        }
    }
}

#[cfg(feature = "mutants")]
mod active {
    use super::Mutant;
    use std::cell::Cell;

    thread_local! {
        // A simulation runs on one thread, and several run side by side.
        static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Switches a bug on for this thread, or all off.
    pub fn activate(mutant: Option<Mutant>) {
        ACTIVE.with(|active| active.set(mutant));
    }

    pub(crate) fn is_active(mutant: Mutant) -> bool {
        ACTIVE.with(|active| active.get() == Some(mutant))
    }
}

#[cfg(feature = "mutants")]
pub use active::activate;
#[cfg(feature = "mutants")]
pub(crate) use active::is_active;

/// Whether this known bug is on, or one of several: `mutated!(DedupeOff)`.
#[cfg(feature = "mutants")]
macro_rules! mutated {
    ($($mutant:ident)|+) => {
        $($crate::mutant::is_active($crate::mutant::Mutant::$mutant))||+
    };
}

/// Known bugs are not compiled in.
#[cfg(not(feature = "mutants"))]
macro_rules! mutated {
    ($($mutant:ident)|+) => {
        false
    };
}

pub(crate) use mutated;
