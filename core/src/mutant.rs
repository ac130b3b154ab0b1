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
    /// An object that starts looks through its whole log for the first and the last row.
    StartReadsTheLog = "start-reads-the-log";
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
    /// HEAD is answered from memory alone.
    HeadFromMemory = "head-from-memory";
    /// That an offset is beyond the tail is answered from memory alone.
    RefusalFromMemory = "refusal-from-memory";
    /// What was fetched from R2 is answered, whatever stream is there by then.
    StaleColdPageTaken = "stale-cold-page-taken";
    /// A stream that was answered to be gone, because it has expired, is not removed before its alarm.
    ExpiredStreamKept = "expired-stream-kept";
    /// That there is no stream is answered from memory alone.
    AbsenceFromMemory = "absence-from-memory";
    /// A read from `now` is answered from memory alone.
    NowFromMemory = "now-from-memory";
    /// An offset of an earlier stream at the URL is taken for one that never was.
    EarlierOffsetIsInvalid = "earlier-offset-is-invalid";
    /// The commit time of an append is what the clock says, also where that is earlier than the last one's.
    CommitTimeByTheClock = "commit-time-by-the-clock";
    /// Where the last segment is in R2, a start of the object does not know when the last append was.
    CommitTimeForgottenAtRotation = "commit-time-forgotten-at-rotation";
    /// Where the last segment is in R2, a start of the object does not know the last `Stream-Seq`.
    StreamSeqForgottenAtRotation = "stream-seq-forgotten-at-rotation";
    /// Where the last segment is in R2, a start of the object does not know that the stream is closed.
    CloseForgottenAtRotation = "close-forgotten-at-rotation";
    /// A duplicate of the last batch is answered the tail instead of the end of its batch.
    DuplicateAnswersTail = "duplicate-answers-tail";
    /// A duplicate of an older batch is answered the end of its producer's last one instead of the tail.
    OlderDuplicateAnswersLast = "older-duplicate-answers-last";
    /// A producer may leave out sequence numbers.
    GapAccepted = "gap-accepted";
    /// Who has left out sequence numbers is told the last one instead of the next one.
    GapExpectsLast = "gap-expects-last";
    /// A zombie is told the epoch after its own, and not the one that has taken over.
    StaleEpochTellsNext = "stale-epoch-tells-next";
    /// A zombie goes on.
    StaleEpochAccepted = "stale-epoch-accepted";
    /// A new epoch may start with any sequence number.
    EpochStartsAnywhere = "epoch-starts-anywhere";
    /// A duplicate does not extend a sliding TTL.
    DuplicateDoesNotTouch = "duplicate-does-not-touch";
    /// A batch that is refused extends a sliding TTL.
    RefusalTouches = "refusal-touches";
    /// Closing a closed stream does not extend a sliding TTL.
    CloseAgainDoesNotTouch = "close-again-does-not-touch";
    /// The last `Stream-Seq` may come again.
    StreamSeqMayRepeat = "stream-seq-may-repeat";
    /// Whether the content type is the stream's is looked at before whether it is closed.
    ContentTypeBeforeClosure = "content-type-before-closure";
    /// The batch that has closed a stream is refused when it comes again.
    ClosingTupleForgotten = "closing-tuple-forgotten";
    /// Whatever the producer sends that has closed a stream is taken for the batch that did.
    ClosingProducerAlwaysRepeats = "closing-producer-always-repeats";
    /// A start of the object does not know which producer has closed the stream.
    ClosingProducerForgottenAtStart = "closing-producer-forgotten-at-start";
    /// A creation that finds its stream does not extend a sliding TTL.
    CreationDoesNotTouch = "creation-does-not-touch";
    /// HEAD extends a sliding TTL.
    HeadTouches = "head-touches";
    /// Each read of a stream with a sliding TTL writes a row.
    EachTouchWritesARow = "each-touch-writes-a-row";
    /// A page may be kept by caches for longer than its stream lives.
    PageOutlivesItsStream = "page-outlives-its-stream";
    /// A page at the tail is kept by caches as one that never changes.
    TailIsStored = "tail-is-stored";
    /// The entity tag of a page at the tail does not change with what is appended after it.
    TagWithoutTail = "tag-without-tail";
    /// The entity tag of the last page does not change with the close.
    TagWithoutClosure = "tag-without-closure";
    /// A page that ends at the tail does not say so where the last segment is sealed.
    TailHiddenWhereItIsSealed = "tail-hidden-where-it-is-sealed";
    /// Each page of the last segment says that it ends at the tail.
    LastSegmentIsTheTail = "last-segment-is-the-tail";
    /// What a long-poll was answered may be kept by caches for longer than its stream lives.
    PollOutlivesItsStream = "poll-outlives-its-stream";
    /// What is answered to `now` may be kept by caches.
    NowIsStored = "now-is-stored";
    /// HEAD does not tell that the stream is closed.
    HeadHidesTheClose = "head-hides-the-close";
    /// What a long-poll from `now` was answered from the log may be kept by caches.
    PollFromNowIsStored = "poll-from-now-is-stored";
    /// `If-None-Match` is taken for one strong tag.
    OnlyOneTagIsRead = "only-one-tag-is-read";
    /// A long-poll for which nothing came may be kept by caches.
    SilenceIsStored = "silence-is-stored";
    /// What a long-poll from `now` was answered has an entity tag.
    TagOfNow = "tag-of-now";
    /// A control event without data has the cursor of the present time alone.
    CursorOfEventsFalls = "cursor-of-events-falls";
    /// Objects are deleted without a durable row, by which an instance proves that it owns the storage.
    SweepWithoutProof = "sweep-without-proof";
    /// A sweep looks for what attempts have left only once.
    SweepEndsAtOnce = "sweep-ends-at-once";
    /// A sweep that has found nothing more goes on, hundreds of passes more, where one without an end would take for ever.
    SweepGoesOn = "sweep-goes-on";
    /// The objects of a removed stream are listed only once, also where a put may be under way.
    RemovalLooksOnce = "removal-looks-once";
    /// An alarm that came too early is set to the same time, however often that was in vain.
    EarlyAlarmComesAtOnce = "early-alarm-comes-at-once";
    /// Who waits is not told that the stream is gone.
    ReadersNotDismissed = "readers-not-dismissed";
    /// Each message is a row of its own, also where a row has room for all of them.
    RowForEachMessage = "row-for-each-message";
    /// Each write sets the alarm once more, to what it is set to.
    AlarmSetAtEachWrite = "alarm-set-at-each-write";
    /// A long-poll asks again each second, instead of waiting until it is told.
    PollsInsteadOfWaiting = "polls-instead-of-waiting";
    /// What waits for all clients of an isolate together has no bound.
    BacklogsUncounted = "backlogs-uncounted";
    /// Identical long-polls of an isolate ask the object each for itself.
    FlightsNotShared = "flights-not-shared";
    /// Long-polls share a flight whatever entity tags their clients have.
    FlightsSharedOverTags = "flights-shared-over-tags";
    /// A long-poll is not told that what its client has still holds.
    PollTagIgnored = "poll-tag-ignored";
    /// The 304 to a long-poll lacks the cursor.
    UnchangedPollWithoutCursor = "unchanged-poll-without-cursor";
    /// The cache of a datacenter keeps an answer under the URL as the client has spelled it.
    KeyWithParameterOrder = "key-with-parameter-order";
    /// Answers to long-polls are kept under a URL without the cursor.
    KeyWithoutCursor = "key-without-cursor";
    /// The edge keeps an answer before it has looked whether it may.
    KeptBeforeTheGuard = "kept-before-the-guard";
    /// The edge serves kept answers whatever their age, and does not tell it.
    AgeIgnored = "age-ignored";
    /// A client that wants no kept answer is served one.
    NoCacheIgnored = "no-cache-ignored";
    /// What is answered to a client that wants no kept answer is not kept either.
    NoCacheNotStored = "no-cache-not-stored";
    /// An answer about an instance is kept for others.
    DebugAnswerKept = "debug-answer-kept";
    /// A plain read takes the answer of another one's flight, though it ends at the tail.
    TailTakenFromAFlight = "tail-taken-from-a-flight";
    /// Who fills the cache starts a sliding TTL again for itself alone.
    KeptPageDoesNotTouchAhead = "kept-page-does-not-touch-ahead";
    /// An answer is kept for longer than a sliding TTL was started again for.
    KeptLongerThanTouched = "kept-longer-than-touched";
    /// A token whose algorithm is `none` needs no signature.
    AlgNoneAccepted = "alg-none-accepted";
    /// A token's `kid` selects no key: all are tried.
    KidTriesAllKeys = "kid-tries-all-keys";
    /// The key that signs is the only one that verifies.
    OnlyFirstKeyVerifies = "only-first-key-verifies";
    /// A token that has expired is taken.
    TokenExpiryIgnored = "token-expiry-ignored";
    /// A token for other streams may read this one.
    StreamClaimIgnoredOnReads = "stream-claim-ignored-on-reads";
    /// A token for other streams may change this one.
    StreamClaimIgnoredOnWrites = "stream-claim-ignored-on-writes";
    /// A kept answer is served before the token is checked.
    CacheBeforeAuth = "cache-before-auth";
    /// The cache of a datacenter keeps an answer under a URL with the token in it.
    TokenInCacheKey = "token-in-cache-key";
    /// A connection with events goes on when its token has expired.
    SseOutlivesItsToken = "sse-outlives-its-token";
    /// An object is asked for what a read without a grant is then refused.
    RefusedReadTouches = "refused-read-touches";
    /// A kept answer is served to who shows no token, whosever it is.
    PublicMarkLost = "public-mark-lost";
    /// Caches in front may keep what is not public at a URL without a reader key.
    AnswerStoredAtBareUrl = "answer-stored-at-bare-url";
    /// Of what the edge has kept, caches in front may keep a copy at a URL with any reader key.
    ReaderKeyCheckedOnMissesOnly = "reader-key-checked-on-misses-only";
    /// Who shows no token shares the flight of those who have a grant.
    TokenlessJoiner = "tokenless-joiner";
    /// A reader without a grant that waits for R2 is told what is in the place of the public stream then.
    AdmittedForGood = "admitted-for-good";
    /// Long-polls ask the limit of what clients open.
    LongPollsAskLimits = "long-polls-ask-limits";
    /// A limit that cannot be asked limits everybody.
    LimitFailsClosed = "limit-fails-closed";
    /// Everybody who shows a token is told about instances.
    DebugForEveryToken = "debug-for-every-token";
    /// A stream keeps its reader key when it should get another one.
    ReaderKeyKept = "reader-key-kept";
    /// Records of a project are published side by side, each as it was when its change was made.
    RecordPublishedOutOfOrder = "record-published-out-of-order";
    /// After a put whose end is unknown, a project's record is not published once more.
    LatePutNotFollowed = "late-put-not-followed";
    /// Whether a key is the project's last one is looked at some time before it is removed.
    LastKeyRemovedByTwo = "last-key-removed-by-two";
    /// What KV has of a project is not imported before its first change.
    ImportSkipped = "import-skipped";
    /// An origin that is not listed is answered as if it were the first one that is.
    FirstOriginByDefault = "first-origin-by-default";
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
