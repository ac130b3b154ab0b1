//! What was measured in production, row by row, and the setting of each.

use tailrace_core::protocol::CachePolicy;
use tailrace_core::protocol::cache::{Collapse, Marker};

use crate::crowd::figures::{Figures, TierFigures};
use crate::crowd::knobs::{Knobs, Span};
use crate::crowd::setting::{InFront, Origin, Readers, Setting};

/// How a row is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The inferred parameters are chosen by it.
    Fitted,
    /// It is predicted.
    Tested,
    /// It is predicted, and not asserted, for this reason.
    Told(&'static str),
}

impl Use {
    /// Under which heading a report has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fitted => "fitted",
            Self::Tested => "tested",
            Self::Told(_) => "not asserted",
        }
    }
}

/// A row: something that was measured.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What was measured.
    pub name: &'static str,
    /// How it is used.
    pub used: Use,
    /// The HIT rate that was measured, in percent: from and to.
    pub measured: (f64, f64),
    /// The delivery that was measured, in ms; 0: it was not told.
    pub p50_ms: u64,
    /// Requests of a run that the zone was measured to pass on without having looked; 0: it was not told.
    pub bypassed: u64,
    load: Load,
}

/// What was loaded.
#[derive(Clone, Copy, Debug)]
enum Load {
    /// So many followers on each of so many streams, by markers with that jitter, told over so many ms, or without markers.
    Followers { readers: usize, streams: usize, jitter_ms: Option<u64>, stagger_ms: u64 },
    /// So many clients of one machine ask a zone for one URL at once.
    AtOnce(usize),
    /// So many Workers follow a stream through a zone, whose origin can be reached at all its addresses or not.
    SubRequests(usize, bool),
}

const fn followers(
    name: &'static str,
    used: Use,
    (readers, streams): (usize, usize),
    (jitter_ms, stagger_ms): (Option<u64>, u64),
    (hit_percent, p50_ms): (f64, u64),
) -> Row {
    let load = Load::Followers { readers, streams, jitter_ms, stagger_ms };
    Row { name, used, measured: (hit_percent, hit_percent), p50_ms, bypassed: 0, load }
}

const fn zone(name: &'static str, used: Use, load: Load, measured: (f64, f64), (p50_ms, bypassed): (u64, u64)) -> Row {
    Row { name, used, measured, p50_ms, bypassed, load }
}

/// Why a wider jitter is not asserted.
const WIDER: Use =
    Use::Told("tried in production and given up; for 476, a wider jitter lowers misses here and raised them there");
/// Why a wider stagger is not asserted.
const LATER: Use = Use::Told("tried in production and given up; from 200 to 300 ms misses rose there, and do not here");
/// Why a zone whose origin cannot always be reached is not asserted.
const UNRESOLVED: Use =
    Use::Told("how many fetches failed was not measured; the share here was picked by this row's HIT alone");

/// All rows.
pub const ROWS: &[Row] = &[
    followers("922, markers", Use::Fitted, (922, 1), (Some(20), 0), (87.0, 186)),
    followers("248, markers", Use::Fitted, (248, 1), (Some(20), 0), (75.0, 280)),
    followers("48 on each of 10, markers", Use::Fitted, (48, 10), (Some(20), 0), (40.0, 121)),
    followers("500, no markers", Use::Tested, (500, 1), (None, 0), (0.0, 0)),
    followers("476, markers", Use::Tested, (476, 1), (Some(20), 0), (86.0, 320)),
    followers("93 on each of 10, markers", Use::Tested, (93, 10), (Some(20), 0), (61.0, 258)),
    followers("922, stagger 50", Use::Tested, (922, 1), (Some(20), 50), (87.0, 0)),
    followers("922, stagger 100", Use::Tested, (922, 1), (Some(20), 100), (91.0, 0)),
    followers("922, stagger 200", Use::Tested, (922, 1), (Some(20), 200), (88.0, 0)),
    followers("48 on each of 10, stagger 50", Use::Tested, (48, 10), (Some(20), 50), (53.0, 0)),
    followers("48 on each of 10, stagger 100", Use::Tested, (48, 10), (Some(20), 100), (55.0, 0)),
    followers("48 on each of 10, stagger 200", Use::Tested, (48, 10), (Some(20), 200), (54.0, 0)),
    followers("476, jitter 100 (r)", WIDER, (476, 1), (Some(100), 0), (77.0, 0)),
    followers("48 on each of 10, jitter 100 (r)", WIDER, (48, 10), (Some(100), 0), (53.0, 0)),
    followers("922, stagger 300 (r)", LATER, (922, 1), (Some(20), 300), (85.0, 0)),
    followers("48 on each of 10, stagger 300 (r)", LATER, (48, 10), (Some(20), 300), (51.0, 0)),
    zone("zone, 50 at once", Use::Tested, Load::AtOnce(50), (98.0, 98.0), (0, 0)),
    zone("zone, 100 at once", Use::Tested, Load::AtOnce(100), (99.0, 99.0), (0, 0)),
    zone("zone, 250 at once", Use::Tested, Load::AtOnce(250), (99.6, 99.6), (0, 0)),
    zone("zone, 50 Workers", Use::Tested, Load::SubRequests(50, true), (79.0, 83.0), (87, 50)),
    zone("zone, 50 Workers, unresolved", UNRESOLVED, Load::SubRequests(50, false), (65.0, 65.0), (0, 49)),
];

impl Row {
    /// The setting of the row, for so many seconds and a seed.
    pub fn setting(&self, knobs: &Knobs, seconds: u64, seed: u64) -> Setting {
        let of =
            |policy: CachePolicy, readers| Setting { knobs: *knobs, seconds, seed, ..Setting::of(policy, readers) };
        match self.load {
            Load::Followers { readers, streams, jitter_ms, stagger_ms } => {
                let policy = CachePolicy { stagger_ms, ..marked(jitter_ms) };
                let long_poll_ms = Some(4_000);
                Setting { streams, long_poll_ms, readers_are: Readers::Workers, ..of(policy, readers * streams) }
            }
            Load::AtOnce(readers) => {
                let policy = named("zone");
                let knobs = Knobs { reconnects: Span::ms(0, 10), ..*knobs };
                Setting { readers_are: Readers::OneMachine, knobs, long_poll_ms: Some(4_000), ..of(policy, readers) }
            }
            Load::SubRequests(readers, origin_resolves) => Setting {
                readers_are: Readers::Workers,
                write_every_us: 200_000,
                seconds: 30,
                long_poll_ms: Some(4_000),
                origin: if origin_resolves { Origin::Resolves } else { Origin::Unresolved },
                // Those who measured waited for as long as it took.
                gives_up: origin_resolves,
                ..of(named("zone"), readers)
            },
        }
    }

    /// The tier that the row is about.
    pub(super) fn tier<'a>(&self, setting: &Setting, figures: &'a Figures) -> &'a TierFigures {
        match setting.front {
            InFront::Nothing => &figures.edge,
            InFront::Zone | InFront::WorkersCache | InFront::Between => &figures.front,
        }
    }

    /// How far that HIT rate is from what was measured, in points.
    pub fn distance(&self, hit_percent: f64) -> f64 {
        let (from, to) = self.measured;
        if hit_percent < from { hit_percent - from } else { (hit_percent - to).max(0.0) }
    }
}

fn named(name: &str) -> CachePolicy {
    CachePolicy::named(name).unwrap_or_default()
}

/// The policy with markers of that jitter, as it was in production; without markers if there is none.
fn marked(jitter_ms: Option<u64>) -> CachePolicy {
    let Some(jitter_ms) = jitter_ms else { return named("immutable-and-long-poll") };
    let policy = named("sentinel");
    let marker = Marker { jitter_ms, pause_ms: 50, patience_ms: 31_000, stands_s: 30 };
    CachePolicy { collapse: Collapse::Sentinel(marker), ..policy }
}
