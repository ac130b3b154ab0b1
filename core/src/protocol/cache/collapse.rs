//! How requests that miss at the same time are kept from all asking the object.

/// How requests that miss at the same time are kept from all asking the object, beyond what requests of one isolate
/// share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collapse {
    /// Each asks.
    None,
    /// The first leaves a marker beside the place of the answer; the others look for the answer until it is there.
    Sentinel(Marker),
    /// So does the first, and then goes on with the URL that is asked next, for so many ms: it marks that as well, and
    /// has the answer stored before the others ask for it.
    Bridge(Marker, u64),
}

/// How a marker is used. A cache has no operation that looks and stores at once, so two may both find none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// How long a request waits between its two looks for the marker at most, in ms: a random time.
    pub jitter_ms: u64,
    /// How long it waits between two looks for the answer, in ms.
    pub pause_ms: u64,
    /// How long it looks for the answer at most, in ms.
    pub patience_ms: u64,
    /// For how long the marker stands, in seconds.
    pub stands_s: u64,
}

impl Collapse {
    /// The marker, if there is one.
    pub fn marker(self) -> Option<Marker> {
        match self {
            Self::None => None,
            Self::Sentinel(marker) | Self::Bridge(marker, _) => Some(marker),
        }
    }
}

/// How a policy makes cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursors {
    /// From the position and the interval alone: readers at one position come to have one cursor.
    Convergent,
    /// With a random part for each answer.
    Random,
    /// As convergent ones, but who is told that nothing came keeps its cursor.
    KeptInSilence,
}

/// The random part of a cursor is less than this, in ms. The protocol's is a time of up to an hour that is added where
/// two cursors are the same; ours are times themselves, and may not be a day ahead of the clock.
const JITTER_MS: u64 = 1_000;

impl Cursors {
    /// The random part of a cursor, in ms.
    pub fn jitter_ms(self, random: impl FnOnce() -> u64) -> u64 {
        match self {
            Self::Random => random() % JITTER_MS,
            Self::Convergent | Self::KeptInSilence => 0,
        }
    }
}

/// How often an object is asked for one key, by a policy that keeps its promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Nothing is promised.
    None,
    /// By each isolate of a datacenter that misses before the answer, or the marker, can be seen there.
    Race,
    /// By each cache node in front once, and once more for each lock that has timed out and each answer that was lost.
    Node,
}
