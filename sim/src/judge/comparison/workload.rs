//! How many followers a stream has, and where.

use crate::kernel::random::Delay;
use crate::world::Faults;

/// Followers of one stream by long-polls, and a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// How many followers there are.
    pub followers: usize,
    /// Between which isolates their requests are spread. With far more isolates than followers, hardly two requests
    /// meet in one, as in production.
    pub isolates: usize,
    /// How many messages are written, one a second.
    pub writes: u64,
    /// How long the followers wait after the last one, in seconds.
    pub silence_s: u64,
    /// From which everything is drawn.
    pub seed: u64,
}

impl Default for Workload {
    fn default() -> Self {
        Self { followers: 100, isolates: 1_000, writes: 40, silence_s: 60, seed: 1 }
    }
}

impl Workload {
    /// A world in which nothing goes wrong, one datacenter large. Assumed: clients are 5 to 15 ms away, the object 5 to
    /// 20 ms. Measured in production: what was stored is visible after 5 to 10 ms.
    pub(super) fn faults() -> Faults {
        Faults::default().with(|faults| {
            faults.network.client_link.latency = Delay::new(5, 15);
            faults.network.object_link.latency = Delay::new(5, 20);
            faults.cache.look_up = Delay::new(1, 3);
            faults.cache.put = Delay::new(1, 3);
            faults.cache.visible = Delay::new(5, 10);
        })
    }
}
