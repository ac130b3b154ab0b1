//! What goes wrong, as numbers: every knob of the platform that the simulator turns.

/// A range of delays, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    /// At least this many ms.
    pub min_ms: u64,
    /// At most this many ms.
    pub max_ms: u64,
}

impl Delay {
    /// No delay.
    pub const NONE: Self = Self { min_ms: 0, max_ms: 0 };

    /// From `min_ms` to `max_ms`.
    pub const fn new(min_ms: u64, max_ms: u64) -> Self {
        Self { min_ms, max_ms }
    }
}

/// A network between two kinds of parties. Messages overtake one another wherever the latency varies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// One way.
    pub latency: Delay,
    /// Of 1,000 requests, those that never arrive.
    pub request_loss_permille: u32,
    /// Of 1,000 responses, those that never arrive: what was asked for has happened.
    pub response_loss_permille: u32,
}

/// What goes wrong with R2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketFaults {
    /// A get, there and back.
    pub get: Delay,
    /// A put.
    pub put: Delay,
    /// A deletion.
    pub delete: Delay,
    /// A listing.
    pub list: Delay,
    /// Of 1,000 calls, those that fail before the store has seen them.
    pub error_before_permille: u32,
    /// Of 1,000 puts and deletions, those that are applied and fail all the same.
    pub error_after_permille: u32,
    /// Of 1,000 puts and deletions, those that fail, and are applied later.
    pub late_permille: u32,
    /// By how much.
    pub late: Delay,
    /// Of 1,000 listings, those that hold fewer objects than were asked for, though more follow.
    pub short_page_permille: u32,
}

/// The knobs. The default turns nothing wrong and delays nothing: what remains is the platform on a good day, which
/// hibernates what is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Between clients and edge isolates. A client notices a loss by its time-out.
    pub client_link: Link,
    /// Between edge isolates and objects, and from object to object. The caller of a lost message is told that the
    /// connection was reset.
    pub object_link: Link,
    /// Of 1,000 requests, those whose edge isolate restarts while it serves them, with all others that it serves.
    pub isolate_restart_permille: u32,
    /// Of 1,000 turns of an object (what runs between two awaits), those that a crash precedes or follows.
    pub crash_permille: u32,
    /// Of 1,000 turns in which an event goes on behind an await, those that a crash precedes.
    pub crash_awaiting_permille: u32,
    /// Of 1,000 outputs that the output gate holds back, those during whose wait the object crashes.
    pub crash_held_permille: u32,
    /// From the end of a turn to its writes being durable.
    pub flush: Delay,
    /// From the first event to the constructor.
    pub cold_start: Delay,
    /// How long an object is idle before it hibernates.
    pub hibernate_after_ms: u64,
    /// Of 1,000 idle spells, those in which the platform does not hibernate the object but evicts it later.
    pub hibernation_missed_permille: u32,
    /// How long an object that does not hibernate is idle before it is evicted.
    pub evict_after: Delay,
    /// How long a superseded instance runs on beside its successor.
    pub superseded: Delay,
    /// Whether every storage access of a superseded instance fails and resets it, reads included. If not, it reads
    /// what was there when it was superseded and its own writes, none of which is ever confirmed.
    pub superseded_reads_fail: bool,
    /// Of 1,000 requests to an object of which a superseded instance still runs, those that reach that one.
    pub stale_route_permille: u32,
    /// Of 1,000 sockets one end of which goes away (the edge's with its isolate or by itself, the object's with a
    /// reset), those of which the other end is never told: it stays open, and what is sent on it is lost.
    pub socket_half_dead_permille: u32,
    /// Of 1,000 pieces of streamed answers, those at which the client's connection breaks. The edge notices when it
    /// writes again.
    pub answer_cut_permille: u32,
    /// Of 1,000 pieces of streamed answers, those from which on nothing arrives any more, and nobody is told.
    pub answer_lost_permille: u32,
    /// How much too late an alarm goes off.
    pub alarm_late: Delay,
    /// Of 1,000 alarms, those that go off too early.
    pub alarm_early_permille: u32,
    /// By how much they do.
    pub alarm_early: Delay,
    /// Of 1,000 alarms whose handler succeeded, those that go off once more.
    pub alarm_duplicate_permille: u32,
    /// How often an alarm whose handler fails is tried again before the platform gives it up.
    pub alarm_retry_limit: u32,
    /// Whether a handler that was cut off has failed. If not, its alarm is always tried again.
    pub alarm_cut_off_fails: bool,
    /// R2.
    pub bucket: BucketFaults,
}

impl Faults {
    /// What is left of them where nothing goes wrong: the same distances, the same slow starts and disks.
    pub fn delays(&self) -> Self {
        let distance = |link: Link| Link { latency: link.latency, ..Link::default() };
        Self {
            client_link: distance(self.client_link),
            object_link: distance(self.object_link),
            flush: self.flush,
            cold_start: self.cold_start,
            ..Self::default()
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            client_link: Link::default(),
            object_link: Link::default(),
            isolate_restart_permille: 0,
            crash_permille: 0,
            crash_awaiting_permille: 0,
            crash_held_permille: 0,
            flush: Delay::NONE,
            cold_start: Delay::NONE,
            // Cloudflare's documentation of the lifecycle of a Durable Object: 10 s, and 70 to 140 s.
            hibernate_after_ms: 10_000,
            hibernation_missed_permille: 0,
            evict_after: Delay::new(70_000, 140_000),
            superseded: Delay::NONE,
            superseded_reads_fail: true,
            stale_route_permille: 0,
            socket_half_dead_permille: 0,
            answer_cut_permille: 0,
            answer_lost_permille: 0,
            alarm_late: Delay::NONE,
            alarm_early_permille: 0,
            alarm_early: Delay::NONE,
            alarm_duplicate_permille: 0,
            // Cloudflare's documentation of alarms.
            alarm_retry_limit: 6,
            alarm_cut_off_fails: false,
            bucket: BucketFaults::default(),
        }
    }
}
