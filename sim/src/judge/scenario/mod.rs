//! Scenarios: what the clients of a run ask and what goes wrong, as an explicit list of timed events, so that a
//! failure can be printed, run again and shrunk.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `event` | one thing that happens at its time |
//! | `action` | what clients do, and what happens to the world, as tables |
//! | `field` | what an action says in detail |
//! | `word` | how the parts of an action are spelled |
//! | `draw` | from a seed to a scenario, each with its own world, workload and mix of faults |
//! | `draw_event` | one thing that a client does, or that happens to the world, drawn |
//! | `draw_plot` | several events in a row, drawn together |
//! | `draw_copies` | the same, about copies in caches |
//! | `verb` | what a client can do, and how often |
//! | `dice`, `dice_front` | the dice of a seed, and those of what stands in front of its world |
//! | `path` | the paths of streams, and how clients spell them |
//! | `access` | who has a token, and who has none that would do |
//! | `policy` | which cache policies keep what a service promises |
//! | `knobs` | faults and limits as named numbers |
//! | `memory_bounds` | how much may be in the memory of an isolate |
//! | `text` | a scenario as text, and back |
//! | `operator` | who rotates the keys of a deployment that has any |
//! | `run` | plays a scenario and keeps its history |

mod access;
mod action;
mod dice;
mod dice_front;
mod draw;
mod draw_copies;
mod draw_event;
mod draw_plot;
mod event;
mod field;
pub mod knobs;
mod memory_bounds;
mod operator;
mod path;
pub mod policy;
mod run;
mod text;
mod verb;
mod word;

pub use access::AccessPlan;
pub use action::{Action, Disturbance};
pub use event::{Event, Happening};
pub use field::{Ahead, Load, Mistake, Origin};
pub(crate) use path::Spelling;
pub use run::{Played, play};
pub use text::ParseError;

use tailrace_core::protocol::CachePolicy;

use crate::judge::history::{Content, Lifetime};
use crate::judge::tenancy::Tenancy;
use crate::tailrace::{ColdSettings, MemoryLimits, StreamLimits, Waits};
use crate::world::{Faults, Region};

/// A stream that the clients use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPlan {
    /// What it is made of.
    pub content: Content,
    /// The end that creations ask for; [`Lifetime::Until`] counts from the start of the run, but 0 is the Unix
    /// epoch.
    pub lifetime: Lifetime,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// From which the executor, the faults and core draw.
    pub schedule: u64,
    /// The region of each datacenter; without any there is one. The n-th client is near the n-th of them, and beyond the
    /// last one they begin again at the first.
    pub colos: Vec<Region>,
    /// How many edge isolates a datacenter has at most.
    pub isolates: usize,
    /// How many bytes may wait at the edge for the client of a streamed answer: few enough that slow clients reach it.
    pub client_buffer_bytes: usize,
    /// What goes wrong until `calm_ms`.
    pub faults: Faults,
    /// Sizes, small enough that all of them are reached.
    pub limits: StreamLimits,
    /// How segments move to R2.
    pub cold: ColdSettings,
    /// What may be in the memory of an isolate at a time.
    pub memory: MemoryLimits,
    /// How long live reads wait.
    pub waits: Waits,
    /// What caches do for readers.
    pub policy: CachePolicy,
    /// The streams; the n-th is called `s{n}`.
    pub streams: Vec<StreamPlan>,
    /// How many readers there are beside the clients, in a world of their own.
    pub crowd: usize,
    /// Who asks needs a token; `None` where everybody is let in.
    pub access: Option<AccessPlan>,
    /// When the faults end, in ms since the start: the safety phase is before, the liveness phase after.
    pub calm_ms: u64,
    /// What happens, by time.
    pub events: Vec<Event>,
}

impl Scenario {
    /// How many datacenters there are.
    pub(super) fn colo_count(&self) -> usize {
        self.colos.len().max(1)
    }

    /// How a stream is called in scenarios and reports.
    pub fn name(stream: usize) -> String {
        path::name(stream)
    }

    /// Which projects the deployment has.
    pub(crate) fn tenancy(&self) -> Tenancy {
        self.access.map_or(Tenancy::One, |plan| plan.tenancy)
    }

    /// The name of a stream's object.
    pub(crate) fn object(&self, stream: usize) -> String {
        self.tenancy().object(stream)
    }
}
