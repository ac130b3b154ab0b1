//! Known bugs that the simulator switches on by name, to prove that its checkers catch them.
//!
//! Without the cargo feature `mutants` nothing of this is compiled: [`mutated!`] is then the constant `false`.

#[cfg(feature = "mutants")]
macro_rules! mutants {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal;)*) => {
        /// A known bug of core.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name on command lines.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

#[cfg(feature = "mutants")]
mutants! {
    /// A producer's retry is appended once more.
    DedupeOff = "dedupe-off";
    /// A producer's sequence is compared without its epoch, so that a new epoch looks like a retry.
    DedupeWithoutEpoch = "dedupe-without-epoch";
    /// An append of several rows moves the tail past its first row only.
    TailNotMoved = "tail-not-moved";
    /// After a restart the tail is taken before the last row instead of after it.
    OffsetReusedAfterCrash = "offset-reused-after-crash";
    /// A read does not extend a sliding TTL.
    ExpiryBeforeLastTouch = "expiry-before-last-touch";
    /// A sliding TTL runs out while readers are connected.
    ExpiresUnderReaders = "expires-under-readers";
    /// A long-poll that finds nothing waits from the tail at which it gets its socket, not from the offset it asked
    /// for.
    LostWakeUp = "lost-wake-up";
    /// After the last page, events go on from the tail of that moment, not from the page's end.
    CatchUpNotJoined = "catch-up-not-joined";
    /// After hibernation the object does not know that readers wait.
    WaitersForgottenAtHibernation = "waiters-forgotten-at-hibernation";
    /// Closing a stream wakes nobody.
    CloseNotPushed = "close-not-pushed";
    /// A long-poll for which nothing came answers the client's own cursor.
    CursorRepeats = "cursor-repeats";
    /// A long-poll for which nothing came answers a cursor that no other reader has.
    CursorNeverConverges = "cursor-never-converges";
    /// All attempts to store a segment share one key.
    KeyWithoutAttempt = "key-without-attempt";
    /// A rotation drops the rows of a segment before it has stored and recorded it.
    RowsDroppedBeforeRecord = "rows-dropped-before-record";
    /// A rotation records as the end of its segment the tail at the end of the put.
    BoundaryAtEndOfPut = "boundary-at-end-of-put";
    /// A stream created again counts its segments from 0 again, and finds those of its predecessor in R2.
    RecreatedStreamReusesObjects = "recreated-stream-reuses-objects";
    /// The tail of a recorded segment is spelled as the start of the next one.
    OffsetReencodedAtRotation = "offset-reencoded-at-rotation";
    /// The sweep takes the latest recorded segment for an orphan.
    SweepRemovesLiveObject = "sweep-removes-live-object";
    /// The duty to remove a stream's objects is deleted before they are removed.
    DeletionForgottenAtCrash = "deletion-forgotten-at-crash";
    /// What a text ends with is sent at once, though it may be half a code point.
    HalfACodePointSent = "half-a-code-point-sent";
    /// A CRLF on two sides of a page or an append is sent as two line ends.
    LineEndSentTwice = "line-end-sent-twice";
    /// A request that is served anew after its instance was lost calls its object again.
    CalledAgainWhenServedAnew = "called-again-when-served-anew";
    /// After a statement has failed, memory is kept, which may be ahead of what is stored.
    MemoryKeptAfterFailedStatement = "memory-kept-after-failed-statement";
    /// What an append writes is not one transaction: a statement that fails leaves those before it.
    AppendInParts = "append-in-parts";
    /// The checksums of segments are not compared.
    ChecksumIgnored = "checksum-ignored";
    /// What is pushed to many readers at once has no bound.
    PushBudgetIgnored = "push-budget-ignored";
    /// The bodies that an isolate holds have no bound in all.
    BodiesUncounted = "bodies-uncounted";
    /// What waits for one client has no bound.
    ClientBufferUnbounded = "client-buffer-unbounded";
    /// Calls of R2 have no time limit.
    R2CallsUnlimited = "r2-calls-unlimited";
    /// A stream keeps any number of producers.
    ProducersUnlimited = "producers-unlimited";
    /// A producer that is not idle loses its place to a new one.
    ActiveProducerForgotten = "active-producer-forgotten";
    /// Appends take the room in the database that the rotation needs which would free it.
    NoRoomKept = "no-room-kept";
    /// What is left of a stream that is gone keeps the table of its agenda.
    TablesKeptAfterRemoval = "tables-kept-after-removal";
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
