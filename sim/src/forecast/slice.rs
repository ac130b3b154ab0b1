//! Slices of a deployment's life, each of which holds cycles of one kind.

use super::deployment::Deployment;
use super::sample::Sample;
use super::workload::Workload;
use crate::bill::{Cause, MONTH_S, Meter, Slice, Usage, with_unsimulated};
use crate::crowd::{Class, Figures, InFront, Knobs, Setting, WARM_UP_S, run};
use crate::tailrace::Settings;

/// What happens between two writes is looked at for no longer than this, in s; beyond, nothing new comes.
const APART_S: f64 = 20.0;
/// How long slices with writes last, in s.
const WRITES_S: (f64, f64) = (10.0, 40.0);
/// How long connections last in the slice in which they end, in ms: shorter than the time between two comments.
const ENDING_MS: u64 = 10_000;
/// How long that slice lasts, in s.
const ENDS_S: u64 = 30;
/// Connections last so long where they are not to end, in ms.
const ENDLESS_MS: u64 = 3_600_000;
/// How long it is between two writes where segments are to be filled, in ms. A slice is never shorter than that of writes, so
/// at a higher rate more of them would be filled, which takes longer and tells no more.
const FILLS_EVERY_MS: u64 = 10;
/// Bytes a ms that are written then, at most.
const FILLS_BYTES_A_MS: u64 = 20_000;

/// Requests a second that an object bears, about: "a soft limit of 1,000 requests per second" (Cloudflare, "Durable
/// Objects limits"). A slice in which it is asked more often ends as soon as that is plain.
pub(super) const BEARS: f64 = 1_000.0;

/// What everything but background work is for.
const IN_FRONT: [Cause; 4] = [Cause::Write, Cause::Read, Cause::Poll, Cause::Connection];
/// What background work is for.
const BACKGROUND: [Cause; 3] = [Cause::Rotation, Cause::Sweep, Cause::Expiry];

/// A kind of cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// From one write to a stream to the next: so many a second, in so many seconds of a month.
    Writes {
        /// Writes a second.
        rate: f64,
        /// Seconds of a month.
        seconds: f64,
    },
    /// A second in which nothing is written to a stream, in so many seconds of a month.
    Silence {
        /// Seconds of a month.
        seconds: f64,
    },
    /// The end of a connection with events, and the beginning of its successor.
    Reconnections,
    /// Another release: a stream's object starts again, and the edges look for it.
    Deploys,
    /// A segment that is full goes to R2.
    Rotations,
}

/// What is asked: which deployment has to do what.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What it has to do.
    pub workload: &'a Workload,
    /// How it is deployed.
    pub deployment: &'a Deployment,
    /// What its surroundings are like.
    pub knobs: Knobs,
}

impl Kind {
    /// The kinds of cycles that a month of a case consists of.
    pub fn of(case: Case<'_>) -> Vec<Self> {
        let mut kinds = Vec::new();
        let mut silent_s = 0.0;
        for (rate, seconds) in case.workload.rates() {
            silent_s += seconds * (1.0 - apart_s(rate) * rate);
            if rate > 0.0 {
                kinds.push(Self::Writes { rate, seconds });
            }
        }
        // What is left by rounding is none.
        if silent_s > 1.0 {
            kinds.push(Self::Silence { seconds: silent_s });
        }
        // Where connections end in the other slices, nothing is left of it.
        if case.deployment.transport == Class::Events && case.workload.readers > 0 && case.deployment.shares_unfinished
        {
            kinds.push(Self::Reconnections);
        }
        if case.workload.deploys > 0.0 {
            kinds.push(Self::Deploys);
        }
        if case.workload.writes_a_month() > 0.0 {
            kinds.push(Self::Rotations);
        }
        kinds
    }

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Writes { .. } => "writes",
            Self::Silence { .. } => "silence",
            Self::Reconnections => "connections",
            Self::Deploys => "deploys",
            Self::Rotations => "rotations",
        }
    }

    /// How many cycles of it a month has.
    pub fn cycles_a_month(self, case: Case<'_>) -> f64 {
        let Workload { streams, readers, catch_up_permille, deploys, .. } = case.workload;
        match self {
            Self::Writes { rate, seconds } => rate * seconds * *streams as f64,
            Self::Silence { seconds } => seconds * *streams as f64,
            Self::Reconnections => {
                let followers = *readers as f64 * (1_000 - catch_up_permille) as f64 / 1_000.0;
                let lasts_s = case.deployment.policy.waits.sse_ms as f64 / 1_000.0;
                // A release ends all connections.
                followers * (MONTH_S / lasts_s + deploys)
            }
            Self::Deploys => deploys * *streams as f64,
            Self::Rotations => case.workload.writes_a_month() / of_segment(case.workload) as f64,
        }
    }

    /// Runs a slice of it, from a seed. Also what else came of it.
    pub fn slice(self, case: Case<'_>, seed: u64) -> (Slice, Figures) {
        let sample = Sample::of(case.workload);
        let streams = sample.streams as f64;
        let setting = setting(case, sample, seed);
        let silent_s = silent_s(case.deployment);
        match self {
            Self::Writes { rate, .. } => {
                let apart_s = apart_s(rate);
                let every_us = (apart_s * 1e6).round() as u64;
                let window_s = (apart_s * 20.0).clamp(WRITES_S.0, WRITES_S.1).max(apart_s * 2.0).ceil() as u64;
                let window_s = window_s.max(unshared_s(case.deployment));
                let figures = run(Setting {
                    write_every_us: every_us,
                    seconds: WARM_UP_S + window_s,
                    // Who waits for a connection that is not shared asks in waves, so the first seconds tell nothing there.
                    bears: case.deployment.shares_unfinished.then_some(BEARS),
                    ..setting
                });
                let cycles = figures.metered_us as f64 / every_us as f64 * streams;
                (slice(figures.usage.only(&IN_FRONT), cycles), figures)
            }
            Self::Silence { .. } => {
                let figures = run(silent(setting, silent_s.max(unshared_s(case.deployment)), None));
                let cycles = metered_s(&figures) * streams;
                (slice(figures.usage.only(&IN_FRONT), cycles), figures)
            }
            Self::Reconnections => {
                let figures = run(Setting { sse_ms: Some(ENDING_MS), ..silent(setting, ENDS_S, None) });
                let begun = figures.classes[Class::Events as usize].requests.max(1);
                (slice(figures.usage.only(&[Cause::Connection]), begun as f64), figures)
            }
            Self::Deploys => {
                let before = run(silent(setting.clone(), silent_s, None));
                let figures = run(silent(setting, silent_s, Some(WARM_UP_S + silent_s / 2)));
                (slice(figures.usage.since(&before.usage), streams), figures)
            }
            Self::Rotations => {
                let of_segment = of_segment(case.workload);
                let every_ms = FILLS_EVERY_MS.max(case.workload.message_bytes / FILLS_BYTES_A_MS);
                let segments = (WRITES_S.0 as u64 * 1_000).div_ceil(of_segment * every_ms).max(2);
                let seconds = WARM_UP_S + (segments * of_segment * every_ms).div_ceil(1_000);
                let readers = [0; 4];
                let figures =
                    run(Setting { write_every_us: every_ms * 1_000, seconds, readers, streams: 1, ..setting });
                // Where nothing fails, each segment is one operation that writes.
                let segments = figures.usage.of(Cause::Rotation, Meter::R2ClassA).max(1);
                (slice(figures.usage.only(&BACKGROUND), segments as f64), figures)
            }
        }
    }
}

fn slice(usage: Usage, cycles: f64) -> Slice {
    Slice { usage: with_unsimulated(&usage), cycles }
}

/// How many messages fill a segment.
fn of_segment(workload: &Workload) -> u64 {
    let limits = Settings::default().limits;
    limits.segment_rows.min(limits.segment_bytes.div_ceil(workload.message_bytes.max(1))).max(1)
}

fn metered_s(figures: &Figures) -> f64 {
    figures.metered_us as f64 / 1e6
}

/// How long what follows a write is looked at, in s; all other time is silence.
fn apart_s(rate: f64) -> f64 {
    if rate > 0.0 { (1.0 / rate).min(APART_S) } else { 0.0 }
}

/// How long silence is looked at, in s: for two long-polls.
fn silent_s(deployment: &Deployment) -> u64 {
    (2 * deployment.policy.waits.long_poll_ms).div_ceil(1_000).max(2)
}

/// How long a slice lasts at least where a cache in front shares nothing that is unfinished, in s: two connections. Who has
/// to wait for the end of another's connection does so again and again, so there they end as they do in production.
fn unshared_s(deployment: &Deployment) -> u64 {
    if deployment.shares_unfinished { 0 } else { 2 * deployment.policy.waits.sse_ms.div_ceil(1_000) }
}

fn silent(setting: Setting, seconds: u64, deploys_after_s: Option<u64>) -> Setting {
    Setting { write_every_us: 0, seconds: WARM_UP_S + seconds, deploys_after_s, ..setting }
}

/// A crowd of that part of the workload, whose connections do not end if a cache in front shares them.
fn setting(case: Case<'_>, sample: Sample, seed: u64) -> Setting {
    let Case { workload, deployment, mut knobs } = case;
    knobs.zone.tiered = deployment.tiered;
    knobs.zone.lock.streams &= deployment.shares_unfinished;
    let sse_ms = if deployment.shares_unfinished { ENDLESS_MS } else { deployment.policy.waits.sse_ms };
    let mut readers = [0; 4];
    readers[deployment.transport as usize] = sample.followers;
    readers[Class::CatchUp as usize] = sample.catch_up;
    Setting {
        readers,
        streams: sample.streams as usize,
        colos: workload.colos(),
        history_bytes: workload.history_bytes as usize,
        message_bytes: workload.message_bytes as usize,
        front: InFront::of(&deployment.policy),
        sse_ms: Some(sse_ms),
        seed,
        knobs,
        ..Setting::of(deployment.policy, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(name: &str) -> Deployment {
        Deployment::all().into_iter().find(|deployment| deployment.name == name).expect("a deployment")
    }

    fn small() -> Workload {
        let mut workload = Workload::default();
        workload.read("readers 20\nregions 2\nmessage_bytes 500").expect("a workload");
        workload
    }

    fn a_cycle(kind: Kind, case: Case<'_>, cause: Cause, meter: Meter) -> f64 {
        let (slice, _) = kind.slice(case, 1);
        slice.usage.of(cause, meter) as f64 / slice.cycles
    }

    #[test]
    fn a_month_consists_of_writes_and_of_the_silence_between_those_that_are_far_apart() {
        let (mut workload, by_sse) = (small(), deployment("nothing, sse 1800 s"));
        let kinds = |workload: &Workload| Kind::of(Case { workload, deployment: &by_sse, knobs: Knobs::default() });
        let names = |kinds: &[Kind]| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>();
        assert_eq!(names(&kinds(&workload)), ["writes", "connections", "deploys", "rotations"]);
        // A write in 100 seconds: 20 of them are looked at as those of a write.
        workload.set("writes_per_second", "0.01").expect("a rate");
        assert_eq!(kinds(&workload)[1], Kind::Silence { seconds: 0.8 * MONTH_S });
        workload.read("writes_per_second 0\nreaders 0\ndeploys 0").expect("a workload");
        assert_eq!(kinds(&workload), [Kind::Silence { seconds: MONTH_S }]);
        workload.read("readers 1000\ndeploys 7\nwrites_per_second 0").expect("a workload");
        let case = Case { workload: &workload, deployment: &by_sse, knobs: Knobs::default() };
        assert_eq!(Kind::Reconnections.cycles_a_month(case), 1_000.0 * (1_440.0 + 7.0));
    }

    /// What nobody shares and nothing keeps is known without a simulator.
    #[test]
    fn what_a_cycle_uses_is_what_its_arithmetic_says() {
        let (workload, knobs) = (small(), Knobs::default());
        let [by_poll, by_sse] = ["nothing, long-poll 20 s", "nothing, sse 1800 s"].map(deployment);
        let [poll, sse] = [&by_poll, &by_sse].map(|deployment| Case { workload: &workload, deployment, knobs });
        let writes = Kind::Writes { rate: 1.0, seconds: MONTH_S };
        let silence = Kind::Silence { seconds: MONTH_S };
        for (kind, case, cause, meter, expected, within) in [
            // Each of 20 readers asks anew after each message.
            (writes, poll, Cause::Poll, Meter::WorkerRequests, 20.0, 1.0),
            (writes, poll, Cause::Poll, Meter::ObjectRequests, 20.0, 2.0),
            (writes, poll, Cause::Write, Meter::WorkerRequests, 1.0, 0.06),
            (writes, poll, Cause::Write, Meter::RowsWritten, 2.0, 0.11),
            (writes, poll, Cause::Write, Meter::ObjectMs, 10.0, 0.6),
            (writes, sse, Cause::Connection, Meter::WorkerRequests, 0.0, 0.0),
            (writes, sse, Cause::Connection, Meter::Deliveries, 20.0, 1.0),
            // And every 20 seconds in silence; a connection only gets a comment then.
            (silence, poll, Cause::Poll, Meter::WorkerRequests, 1.0, 0.05),
            (silence, sse, Cause::Connection, Meter::WorkerRequests, 0.0, 0.0),
            (silence, sse, Cause::Connection, Meter::ObjectRequests, 0.0, 0.0),
            (Kind::Reconnections, sse, Cause::Connection, Meter::WorkerRequests, 1.0, 0.0),
            (Kind::Reconnections, sse, Cause::Connection, Meter::ObjectRequests, 1.0, 0.2),
            // Each reader's edge looks for the object again.
            (Kind::Deploys, sse, Cause::Connection, Meter::ObjectRequests, 20.0, 4.0),
        ] {
            let found = a_cycle(kind, case, cause, meter);
            assert!((found - expected).abs() <= within, "{} {cause:?} {meter:?}: {found}", kind.name());
        }
    }

    /// Whatever the rate, a message is a request, a call of the object and two rows; what it costs follows from these.
    #[test]
    fn a_message_uses_the_same_at_any_rate_that_an_object_bears() {
        let workload = Workload { readers: 3, ..small() };
        let by_sse = deployment("nothing, sse 1800 s");
        let case = Case { workload: &workload, deployment: &by_sse, knobs: Knobs::default() };
        for rate in [1.0, 50.0, 200.0, 500.0, 900.0] {
            let (slice, figures) = Kind::Writes { rate, seconds: MONTH_S }.slice(case, 1);
            let written = rate * figures.metered_us as f64 / 1e6;
            let is_near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.05;
            assert!(is_near(slice.cycles, written), "{rate}: {} cycles, {written} messages", slice.cycles);
            for (cause, meter, expected) in [
                (Cause::Write, Meter::WorkerRequests, 1.0),
                (Cause::Write, Meter::ObjectRequests, 1.0),
                (Cause::Write, Meter::RowsWritten, 2.0),
                (Cause::Connection, Meter::Deliveries, 3.0),
            ] {
                let found = slice.usage.of(cause, meter) as f64 / written;
                assert!(is_near(found, expected), "{rate} {cause:?} {meter:?}: {found}");
            }
            let events = &figures.classes[Class::Events as usize];
            assert_eq!((events.gaps, events.foreign, events.refused, events.behind), (0, 0, 0, 0), "{rate}");
            assert!(is_near(events.deliveries as f64, 3.0 * written), "{rate}: {}", events.deliveries);
        }
    }

    #[test]
    fn a_slice_ends_with_its_first_seconds_where_an_object_is_asked_too_often_and_a_cycle_of_it_uses_as_much() {
        let by_poll = deployment("nothing, long-poll 20 s");
        for (readers, rate, seconds) in
            [(300, 1.0, 20), (1_100, 1.0, 20), (1_500, 1.0, 5), (0, 900.0, 10), (0, 1_100.0, 5)]
        {
            let workload = Workload { readers, ..small() };
            let case = Case { workload: &workload, deployment: &by_poll, knobs: Knobs::default() };
            let (slice, figures) = Kind::Writes { rate, seconds: MONTH_S }.slice(case, 1);
            assert_eq!(figures.metered_us, seconds * 1_000_000, "{readers} {rate}");
            let asked = slice.usage.total(Meter::ObjectRequests) as f64 / slice.cycles;
            let expected = readers as f64 + 1.0;
            assert!((asked / expected - 1.0).abs() < 0.05, "{readers} {rate}: {asked}");
        }
    }

    #[test]
    fn who_waits_for_a_connection_that_is_not_shared_asks_alone_in_the_end() {
        let (workload, knobs) = (small(), Knobs::default());
        let of = |name: &str| {
            let deployment = deployment(name);
            let case = Case { workload: &workload, deployment: &deployment, knobs };
            let (slice, figures) = Kind::Writes { rate: 1.0, seconds: MONTH_S }.slice(case, 1);
            let p99_ms = figures.classes[Class::Events as usize].delay_ms(990);
            (slice.usage.of(Cause::Connection, Meter::ObjectRequests) as f64 / slice.cycles, p99_ms)
        };
        let (shared, shared_p99_ms) = of("collapsed-events, tiered, sse 60 s");
        let (unshared, unshared_p99_ms) = of("collapsed-events, tiered, sse 60 s, not shared");
        assert!(shared < 0.1 && unshared > 0.2, "{shared} and {unshared} requests a second");
        assert!(shared_p99_ms < 1_000 && unshared_p99_ms > 20_000, "{shared_p99_ms} and {unshared_p99_ms} ms");
    }

    #[test]
    fn a_segment_goes_to_r2_once_and_what_writes_cost_is_not_in_it() {
        let workload = Workload { message_bytes: 20_000, ..small() };
        let deployment = deployment("nothing, sse 1800 s");
        let case = Case { workload: &workload, deployment: &deployment, knobs: Knobs::default() };
        // 4 MiB of such messages are 210.
        assert_eq!(Kind::Rotations.cycles_a_month(case), MONTH_S / 210.0);
        let rotation = |meter| a_cycle(Kind::Rotations, case, Cause::Rotation, meter);
        assert_eq!(rotation(Meter::R2ClassA), 1.0);
        assert!(rotation(Meter::RowsWritten) > 1.0);
        assert_eq!(a_cycle(Kind::Rotations, case, Cause::Write, Meter::WorkerRequests), 0.0);
    }
}
