//! What a checker must know about the world to be sound.

use tailrace_core::protocol::CachePolicy;

use crate::judge::tenancy::Tenancy;
use crate::tailrace::Waits;
use crate::world::Footprint;

/// What a checker must know about the world to be sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// How long a request that its client gave up may still be on its way, in ms.
    pub straggler_ms: u64,
    /// From this virtual time in ms on, nothing that went wrong before is left: connections that died unnoticed have
    /// come to their time-outs.
    pub settled_from_ms: u64,
    /// How many datacenters there are. Each client is near one, in their order.
    pub colos: usize,
    /// How much longer than within a datacenter a message is on its way between two of them at most, in ms.
    pub distance_ms: u64,
    /// How long an answer is on its way from an object to a client in the same datacenter at most, in ms, where nothing
    /// goes wrong.
    pub answer_way_ms: u64,
    /// Whether whoever asks needs a token.
    pub is_keyed: bool,
    /// Whether the deployment lists origins, and clients send theirs.
    pub lists_origins: bool,
    /// Which projects the deployment has.
    pub tenancy: Tenancy,
    /// By how much the clocks of two isolates differ at most, in ms.
    pub edges_apart_ms: u64,
    /// By how much the clocks of two instances of an object differ at most, and that of one from the world's, in ms.
    pub clocks_apart_ms: u64,
    /// Whether alarms may go off before their time.
    pub alarms_come_early: bool,
    /// How much too late an alarm goes off at most, in ms.
    pub alarm_late_ms: u64,
    /// The longest that one event of an object takes where nothing waits, in ms.
    pub event_ms: u64,
    /// How long R2 takes at most for a page, in ms, where nothing fails: for the index of its segment, and its frames.
    pub cold_read_ms: u64,
    /// How long an object waits for R2 to answer a read, in ms.
    pub read_limit_ms: u64,
    /// How old an object in R2 is at least that a sweep deletes, in ms: as long as the next sweep waits.
    pub orphan_age_ms: u64,
    /// Objects of R2 that a sweep lists at once.
    pub sweep_page: usize,
    /// How long live reads wait.
    pub waits: Waits,
    /// What caches do for readers.
    pub policy: CachePolicy,
    /// How long a put takes in the cache of a datacenter at most, in ms, and a look-up.
    pub cache_ms: (u64, u64),
    /// Whether there is such a cache.
    pub has_cache: bool,
    /// How long a fetch of a cache in front keeps others waiting at most, in ms.
    pub lock_age_ms: u64,
    /// Bytes that the rows of a stream may take which wait for R2.
    pub hot_bytes: u64,
    /// Bytes after which a row of the log ends.
    pub row_bytes: u64,
    /// Bytes that core is told a database may take.
    pub database_bytes: u64,
    /// Whether it may take less.
    pub database_is_smaller: bool,
    /// Producers that a stream keeps.
    pub producers: u64,
    /// How long a producer has not appended before its place may be taken, in ms.
    pub producer_idle_ms: u64,
    /// Bytes after which a segment is sealed.
    pub segment_bytes: u64,
    /// How many isolates a datacenter has at most.
    pub isolates: usize,
    /// Before this virtual time in ms, they may be waiting.
    pub full_until_ms: u64,
    /// Largest body, in bytes.
    pub body_bytes: usize,
    /// Bytes of request bodies that an isolate may hold.
    pub bodies_bytes: usize,
    /// The most bytes that may be in the memory of an isolate.
    pub footprint: Footprint,
    /// Bytes of text up to which events leave in one write.
    pub whole_event_bytes: usize,
}

/// How much longer than a long-poll its flight may last, in ms.
const FLIGHT_GRACE_MS: u64 = 5_000;

impl Conditions {
    /// How much longer than within a datacenter it takes at most to go from one to another and back, in ms.
    pub fn round_trip_ms(&self) -> u64 {
        2 * self.distance_ms
    }

    /// By how much the clock of an isolate is off at most, in ms.
    pub fn edge_clock_off_ms(&self) -> u64 {
        self.edges_apart_ms / 2
    }

    /// The datacenter that a client is near.
    pub fn colo(&self, client: usize) -> usize {
        client % self.colos.max(1)
    }

    /// How old what a waiting reader is told may be, in ms: the reader shares a flight that began before, which ends
    /// with the length of a long-poll where nobody tells it that the stream is gone.
    pub fn flight_ms(&self) -> u64 {
        self.waits.long_poll_ms + FLIGHT_GRACE_MS
    }

    /// How long a connection with events lasts at least, in ms, where nothing ends it before: a tenth less than is
    /// configured.
    pub fn least_connection_ms(&self) -> u64 {
        // Where all end together, who comes late has a tenth at least.
        let tenth_ms = self.waits.sse_ms / 10;
        if self.policy.events_end_together { tenth_ms } else { self.waits.sse_ms - tenth_ms }
    }

    /// The longest that a connection with events lasts, in ms: a tenth more than is configured.
    pub fn connection_ms(&self) -> u64 {
        self.waits.sse_ms + self.waits.sse_ms / 10
    }
}
