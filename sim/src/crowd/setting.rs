//! Who reads what, where, and under which policy.

use tailrace_core::protocol::{CachePolicy, Waits};

use super::bug::CrowdBug;
use super::knobs::{Knobs, Span};
use crate::front::FrontBug;
use crate::world::{Faults, Region};

/// For how long a crowd goes on after the last message, unless something hangs, in s.
const LINGERS_S: u64 = 2;

/// What a reader does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Follows a stream by long-polls.
    LongPoll,
    /// Follows a stream by connections with events.
    Events,
    /// Reads a stream from its start, in a browser, and does so again after a while.
    CatchUp,
    /// Follows, by long-polls, a stream to which nobody writes.
    Idle,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::LongPoll, Self::Events, Self::CatchUp, Self::Idle];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::LongPoll => "long-poll",
            Self::Events => "sse",
            Self::CatchUp => "catch-up",
            Self::Idle => "idle",
        }
    }
}

/// What stands in front of the Worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InFront {
    /// Nothing.
    Nothing,
    /// A zone's CDN.
    Zone,
    /// Workers Cache.
    WorkersCache,
    /// Nothing, and Workers Cache between the gateway and the inner entrypoint.
    Between,
}

impl InFront {
    /// What stands in front by that policy.
    pub fn of(policy: &CachePolicy) -> Self {
        match policy.name {
            "zone" | "zone-silence" | "collapsed-events" => Self::Zone,
            "workers-cache" => Self::WorkersCache,
            _ if policy.has_gateway => Self::Between,
            _ => Self::Nothing,
        }
    }
}

/// Who the readers are to a cache in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Clients outside of the platform.
    Clients,
    /// One machine outside of the platform, with a connection for each.
    OneMachine,
    /// Workers, which read by sub-requests.
    Workers,
}

/// Whether the origin behind a cache in front can be reached at all its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It can.
    Resolves,
    /// For a part of the fetches its name resolves to one at which it cannot.
    Unresolved,
    /// The same, as long as messages are written.
    UnresolvedUntilCalm,
}

/// A crowd, and what it reads.
#[derive(Clone, Debug)]
pub struct Setting {
    /// How many readers of each class there are, in the order of [`Class::ALL`].
    pub readers: [usize; 4],
    /// How many streams are written to. Readers are spread over them evenly.
    pub streams: usize,
    /// The region of each datacenter. Readers are spread over them evenly; objects are in the first one.
    pub colos: Vec<Region>,
    /// How long it is between two messages of a stream, in us; 0: nobody writes.
    pub write_every_us: u64,
    /// Bytes of a message, about; no fewer than its number takes.
    pub message_bytes: usize,
    /// For how long messages are written, in s.
    pub seconds: u64,
    /// How often an object may be asked in a second: if the first seconds tell that it is asked more often, the crowd ends
    /// with them.
    pub bears: Option<f64>,
    /// Bytes that each stream has before the first message.
    pub history_bytes: usize,
    /// How long a long-poll waits, in ms; `None`: as long as the policy says.
    pub long_poll_ms: Option<u64>,
    /// About how long a connection with events lasts, in ms; `None`: as long as the policy says.
    pub sse_ms: Option<u64>,
    /// After how many seconds another release is deployed, from when on objects start again with it; `None`: never.
    pub deploys_after_s: Option<u64>,
    /// What caches do.
    pub policy: CachePolicy,
    /// What stands in front.
    pub front: InFront,
    /// Who the readers are to a cache in front.
    pub readers_are: Readers,
    /// Whether the origin behind a cache in front can be reached at all its addresses.
    pub origin: Origin,
    /// Whether readers go and come back.
    pub come_and_go: bool,
    /// What goes wrong with objects, and on the way to them, while messages are written.
    pub troubles: Faults,
    /// For how long it goes on after the last message, in s, with nothing going wrong any more.
    pub lingers_s: u64,
    /// Whether readers give up what takes too long, and come back.
    pub gives_up: bool,
    /// Bytes of a page, as far as messages go into it; `None`: as in production.
    pub page_bytes: Option<usize>,
    /// A known bug of the cache in front.
    pub front_bug: Option<FrontBug>,
    /// A known bug of the crowd's own host.
    pub bug: Option<CrowdBug>,
    /// What the surroundings are like.
    pub knobs: Knobs,
    /// From which everything is drawn.
    pub seed: u64,
}

impl Setting {
    /// So many followers of one stream, by long-polls, with a message a second for two minutes, in one datacenter.
    pub fn of(policy: CachePolicy, readers: usize) -> Self {
        Self {
            readers: [readers, 0, 0, 0],
            streams: 1,
            colos: vec![Region::ALL[0]],
            write_every_us: 1_000_000,
            message_bytes: 0,
            seconds: 120,
            bears: None,
            history_bytes: 0,
            long_poll_ms: None,
            sse_ms: None,
            deploys_after_s: None,
            front: InFront::of(&policy),
            policy,
            readers_are: Readers::Clients,
            origin: Origin::Resolves,
            come_and_go: false,
            troubles: Faults::default(),
            lingers_s: LINGERS_S,
            gives_up: true,
            page_bytes: None,
            front_bug: None,
            bug: None,
            knobs: Knobs::default(),
            seed: 1,
        }
    }

    /// The way between a reader and its datacenter, one way.
    pub(super) fn way(&self) -> Span {
        if self.readers_are == Readers::Workers { self.knobs.worker } else { self.knobs.client }
    }

    /// How long live reads wait.
    pub(super) fn waits(&self) -> Waits {
        let waits = self.policy.waits;
        Waits {
            long_poll_ms: self.long_poll_ms.unwrap_or(waits.long_poll_ms),
            sse_ms: self.sse_ms.unwrap_or(waits.sse_ms),
        }
    }

    /// Whether those who read a stream from its start look at what they read. A long history is of no interest.
    pub(super) fn reads_pages(&self) -> bool {
        self.history_bytes == 0
    }

    /// How many readers there are.
    pub fn count(&self) -> usize {
        self.readers.iter().sum()
    }

    /// So many datacenters, spread over all regions.
    pub fn regions(colos: usize) -> Vec<Region> {
        Region::ALL.iter().copied().cycle().take(colos.max(1)).collect()
    }
}
