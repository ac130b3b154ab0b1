//! What a crowd's surroundings are like, as numbers. Each has a name by which files set it and by which it is halved and
//! doubled.

use crate::front::{WorkersCacheKnobs, ZoneKnobs};
use crate::kernel::random::{Delay, Random};

/// A range of times, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// At least this many us.
    pub min_us: u64,
    /// At most this many us.
    pub max_us: u64,
}

impl Span {
    /// From so many ms to so many.
    pub const fn ms(min_ms: u64, max_ms: u64) -> Self {
        Self { min_us: min_ms * 1_000, max_us: max_ms * 1_000 }
    }

    /// A time within the bounds, in us.
    pub(super) fn draw_us(self, random: &Random) -> u64 {
        random.between(self.min_us, self.max_us)
    }

    /// In whole ms.
    pub(super) fn delay(self) -> Delay {
        Delay::new(self.min_us / 1_000, self.max_us.div_ceil(1_000))
    }
}

/// What a crowd's surroundings are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knobs {
    /// Parts of a datacenter's cache, each of which shares nothing with the others; the isolate of a request uses one of
    /// them (inferred from load tests: about 20).
    pub partitions: u64,
    /// Over how long readers come back that were answered at the same moment (inferred from load tests: 30 ms).
    pub reconnects: Span,
    /// How long after it was stored an answer can be seen (measured in production: 5 to 10 ms).
    pub visible: Span,
    /// How long a look-up in the cache takes, or a removal (inferred: chosen by the fitted rows of the calibration).
    pub look_up: Span,
    /// How long it takes until whoever has stored something is told so (assumed: as long as a look-up).
    pub put: Span,
    /// The way between a client outside of the platform and its datacenter, one way (assumed).
    pub client: Span,
    /// The way between a Worker that reads and the service, one way (assumed).
    pub worker: Span,
    /// The way between a datacenter and the object within a region, one way (assumed).
    pub object: Span,
    /// The way between a cache in front and the Worker, one way: measured with a proxy that took 16 ms there and back.
    pub origin: Span,
    /// The way between a gateway and the inner entrypoint of its datacenter, or the cache between the two, one way
    /// (assumed: both are on the same machines).
    pub inner: Span,
    /// A zone's CDN.
    pub zone: ZoneKnobs,
    /// Workers Cache.
    pub workers_cache: WorkersCacheKnobs,
    /// Of 1,000 fetches of a zone's CDN, those for which an origin that has such an address cannot be reached (picked by
    /// the HIT rate of the one run that had one, so that this run tests nothing).
    pub unresolved_permille: u32,
    /// How long it takes until such a fetch fails (measured: the slowest percent of answers took 30 to 59 s).
    pub unresolved: Span,
    /// How long a reader stays, and how long it stays away then, in ms; 0: it stays for good.
    pub stays: Span,
    /// See `stays`.
    pub away: Span,
    /// How long a catch-up reader waits until it reads again from the start.
    pub reads_again: Span,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            partitions: 20,
            reconnects: Span::ms(0, 30),
            visible: Span::ms(5, 10),
            look_up: Span::ms(5, 17),
            put: Span::ms(5, 17),
            client: Span::ms(5, 15),
            worker: Span::ms(2, 5),
            object: Span::ms(10, 15),
            origin: Span::ms(4, 12),
            inner: Span::ms(0, 2),
            zone: ZoneKnobs::default(),
            workers_cache: WorkersCacheKnobs::default(),
            unresolved_permille: 5,
            unresolved: Span::ms(30_000, 59_000),
            stays: Span::ms(60_000, 600_000),
            away: Span::ms(1_000, 20_000),
            reads_again: Span::ms(10_000, 60_000),
        }
    }
}
