//! What goes wrong with objects, and when they sleep.

use crate::kernel::random::Delay;

/// The knobs of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectFaults {
    /// Of 1,000 turns of an object (a turn is what runs between two awaits), those directly before or after which it
    /// crashes.
    pub crash_permille: u32,
    /// Of 1,000 turns in which an event goes on after an await, those directly before which the object crashes.
    pub crash_awaiting_permille: u32,
    /// Of 1,000 answers that the output gate holds back, those during whose wait the object crashes.
    pub crash_held_permille: u32,
    /// Of 1,000 calls, those that the platform refuses because the object has too much to do.
    pub overloaded_permille: u32,
    /// Of 1,000 starts, those in an isolate that serves requests too: objects and requests then share an instance of
    /// core, and lose it together.
    pub shares_isolate_permille: u32,
    /// By how much the clock of an instance differs from the world's at most, either way, in ms: when an object starts
    /// again it may be on another machine, unless it has sockets, which its machine holds.
    pub clock_off_ms: u64,
    /// The time from the first event to the constructor.
    pub cold_start: Delay,
    /// How long an object is idle before it hibernates.
    pub hibernate_after_ms: u64,
    /// Of 1,000 idle spells, those in which the platform does not hibernate the object but evicts it later.
    pub hibernation_missed_permille: u32,
    /// How long an object that does not hibernate is idle before it is evicted.
    pub evict_after: Delay,
    /// How long a superseded instance runs on beside its successor.
    pub superseded: Delay,
    /// Whether every storage access of a superseded instance, reads included, fails and resets it. If not, it reads the
    /// storage as it was when it was superseded, with its own later writes, none of which is ever confirmed.
    pub superseded_reads_fail: bool,
    /// Of 1,000 requests to an object with a superseded instance that still runs, those that reach that instance.
    pub stale_route_permille: u32,
}

impl ObjectFaults {
    pub(in crate::world) fn delays(&self) -> Self {
        Self { cold_start: self.cold_start, ..Self::default() }
    }
}

impl Default for ObjectFaults {
    fn default() -> Self {
        Self {
            crash_permille: 0,
            crash_awaiting_permille: 0,
            crash_held_permille: 0,
            overloaded_permille: 0,
            shares_isolate_permille: 0,
            clock_off_ms: 0,
            cold_start: Delay::NONE,
            // Cloudflare's documentation of the lifecycle of a Durable Object: 10 s, and 70 to 140 s.
            hibernate_after_ms: 10_000,
            hibernation_missed_permille: 0,
            evict_after: Delay::new(70_000, 140_000),
            superseded: Delay::NONE,
            superseded_reads_fail: true,
            stale_route_permille: 0,
        }
    }
}
