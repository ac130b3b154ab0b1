//! What a case costs in a month, from as many seeds as it takes to know.

use super::life;
use super::sample::Sample;
use super::slice::{BEARS, Case, Kind};
use super::storage::stored;
use crate::bill::{Cause, Class, Estimate, Invoice, Meter, Slice, Usage, with_tokens};
use crate::crowd::{Class as Readers, Figures};
use crate::kernel::jobs;

/// How sure a forecast has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Seeds of each kind of cycle, at least.
    pub seeds: u64,
    /// Seeds of each kind of cycle, at most, where the interval is too wide after fewer.
    pub most_seeds: u64,
}

impl Default for Effort {
    fn default() -> Self {
        Self { seeds: 10, most_seeds: 40 }
    }
}

/// What costs the same however readers are served: what becomes of messages later, and what is stored.
#[derive(Clone, Debug)]
pub struct Background {
    classes: Vec<Class>,
}

/// What a case costs in a month, and what its readers have of it.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// What it costs, but for what is fixed.
    pub estimate: Estimate,
    /// What is fixed, in millionths of a dollar.
    pub fixed: u64,
    /// Seeds of each kind of cycle that were run.
    pub seeds: u64,
    /// Which limit of the platform it breaks, if it does. Then the estimate is that of one seed.
    pub infeasible: Option<String>,
    /// Of 100 requests of readers that ask for messages, those that a cache has answered; `None` where they ask none.
    pub hit_percent: Option<f64>,
    /// How long messages take to their followers, in ms: what half of them, and 99 of 100, do not exceed; on average
    /// over the seeds. `None` where there are none.
    pub delay_ms: Option<(f64, f64)>,
    /// How often an object is asked in a second while it is written to, or, where nobody writes, in silence.
    pub asked_a_second: f64,
}

/// Seeds of what hardly differs between them.
const BACKGROUND_SEEDS: u64 = 3;

impl Background {
    /// Of a case; it is the same for every deployment of one workload.
    pub fn of(case: Case<'_>) -> Self {
        let mut classes = Vec::new();
        let seeds: Vec<u64> = (1..=BACKGROUND_SEEDS).collect();
        if case.workload.writes_a_month() > 0.0 {
            let slices = jobs::all(&seeds, |seed| Kind::Rotations.slice(case, *seed).0);
            classes.push(Class {
                name: Kind::Rotations.name(),
                slices,
                cycles_a_month: Kind::Rotations.cycles_a_month(case),
            });
        }
        if case.workload.lives > 0 {
            let slices = jobs::all(&seeds, |seed| life::slice(*seed));
            classes.push(Class { name: "lives", slices, cycles_a_month: case.workload.lives as f64 });
        }
        let a_month = Slice { usage: stored(case.workload), cycles: 1.0 };
        classes.push(Class { name: "storage", slices: vec![a_month; BACKGROUND_SEEDS as usize], cycles_a_month: 1.0 });
        Self { classes }
    }
}

impl Forecast {
    /// Of a case with what it has in the background. `tells` is told how far it is.
    pub fn of(case: Case<'_>, background: &Background, effort: Effort, tells: &dyn Fn(&str)) -> Self {
        let kinds: Vec<Kind> = Kind::of(case).into_iter().filter(|kind| *kind != Kind::Rotations).collect();
        let mut runs: Vec<Vec<(Slice, Figures)>> = vec![Vec::new(); kinds.len()];
        let mut seeds = 0;
        let extend = |runs: &mut Vec<Vec<(Slice, Figures)>>, seeds: std::ops::RangeInclusive<u64>| {
            let wanted: Vec<(usize, u64)> =
                (0..kinds.len()).flat_map(|kind| seeds.clone().map(move |seed| (kind, seed))).collect();
            let outcomes = jobs::all(&wanted, |(kind, seed)| with_tokens_of(case, kinds[*kind].slice(case, *seed)));
            wanted.iter().zip(outcomes).for_each(|((kind, _), outcome)| runs[*kind].push(outcome));
        };
        let estimate = |runs: &[Vec<(Slice, Figures)>]| {
            let class = |(kind, runs): (&Kind, &Vec<(Slice, Figures)>)| Class {
                name: kind.name(),
                slices: runs.iter().map(|(slice, _)| slice.clone()).collect(),
                cycles_a_month: kind.cycles_a_month(case),
            };
            let classes: Vec<Class> = kinds.iter().zip(runs).map(class).chain(background.classes.clone()).collect();
            Estimate::of(&classes)
        };
        let fixed = case.deployment.fixed.map_or(0, |(_, costs)| costs);
        let (estimate, infeasible) = loop {
            let (from, to) = match seeds {
                // One tells whether it can be done at all.
                0 => (1, 1),
                1 => (2, effort.seeds.max(2)),
                _ => (seeds + 1, (seeds * 2).min(effort.most_seeds)),
            };
            tells(&format!("{}: seeds {from} to {to}", case.deployment.name));
            extend(&mut runs, from..=to);
            seeds = to;
            let infeasible = (to == 1).then(|| problem(case, &kinds, &runs)).flatten();
            if to == 1 && infeasible.is_none() {
                continue;
            }
            let estimate = estimate(&runs);
            if infeasible.is_some() || estimate.is_precise() || seeds >= effort.most_seeds {
                break (estimate, infeasible);
            }
        };
        let asked_a_second = asked_a_second(case, &kinds, &runs);
        let (hit_percent, delay_ms) = seen(case, &kinds, &runs);
        Self { estimate, fixed, seeds, infeasible, hit_percent, delay_ms, asked_a_second }
    }

    /// What a month costs beside the plan, with what is fixed, in millionths of a dollar.
    pub fn costs(&self) -> u64 {
        self.estimate.mean.beside_plan().saturating_add(self.fixed)
    }

    /// Half of the width of its interval, in millionths of a dollar.
    pub fn half_width(&self) -> u64 {
        let [low, mean, high] =
            [&self.estimate.low, &self.estimate.mean, &self.estimate.high].map(Invoice::beside_plan);
        high.saturating_sub(mean).max(mean.saturating_sub(low))
    }
}

/// The slice as it is where each request has a token.
fn with_tokens_of(case: Case<'_>, (slice, figures): (Slice, Figures)) -> (Slice, Figures) {
    match case.deployment.has_tokens {
        true => (Slice { usage: with_tokens(&slice.usage), ..slice }, figures),
        false => (slice, figures),
    }
}

/// The runs with writes, the most of which come last.
fn busiest<'a>(kinds: &[Kind], runs: &'a [Vec<(Slice, Figures)>]) -> &'a [(Slice, Figures)] {
    let place = kinds.iter().rposition(|kind| matches!(kind, Kind::Writes { .. })).unwrap_or(0);
    runs.get(place).map_or(&[], Vec::as_slice)
}

/// How often an object is asked in a second in which messages are written, on average over the seeds.
fn asked_a_second(case: Case<'_>, kinds: &[Kind], runs: &[Vec<(Slice, Figures)>]) -> f64 {
    let streams = Sample::of(case.workload).streams as f64;
    let of_run = |(slice, figures): &(Slice, Figures)| {
        let seconds = (figures.metered_us as f64 / 1e6).max(1.0);
        slice.usage.total(Meter::ObjectRequests) as f64 / seconds / streams
    };
    let runs = busiest(kinds, runs);
    runs.iter().map(of_run).sum::<f64>() / (runs.len().max(1) as f64)
}

/// Which limit it breaks.
fn problem(case: Case<'_>, kinds: &[Kind], runs: &[Vec<(Slice, Figures)>]) -> Option<String> {
    let asked = asked_a_second(case, kinds, runs);
    (asked > BEARS).then(|| format!("an object is asked {asked:.0} times a second, and bears about {BEARS:.0}"))
}

/// How many requests are hits, and how long messages take.
fn seen(case: Case<'_>, kinds: &[Kind], runs: &[Vec<(Slice, Figures)>]) -> (Option<f64>, Option<(f64, f64)>) {
    // Connections that are shared last beyond the slices with writes, and begin in one of their own.
    let by_events = case.deployment.transport == Readers::Events;
    let beginning = kinds.iter().position(|kind| by_events && *kind == Kind::Reconnections);
    let asking = beginning.map_or_else(|| busiest(kinds, runs), |place| &runs[place]);
    let runs = busiest(kinds, runs);
    let mut all = Usage::default();
    asking.iter().for_each(|(slice, _)| all.merge(&slice.usage));
    let cause = if by_events { Cause::Connection } else { Cause::Poll };
    let of = |meters: &[Meter]| meters.iter().map(|meter| all.of(cause, *meter)).sum::<u64>() as f64;
    let hits = of(&[Meter::ZoneHits, Meter::WorkersCacheHits, Meter::EdgeHits]);
    let class = case.deployment.transport as usize;
    let asked = asking.iter().map(|(_, figures)| figures.classes[class].requests).sum::<u64>() as f64;
    // Where no cache shares them, events ask none.
    let asks = !by_events || case.deployment.policy.events_end_together;
    let hit_percent = (asks && asked > 0.0).then(|| (100.0 * hits / asked).min(100.0));
    let delays = |permille| {
        let of_run = |(_, figures): &(Slice, Figures)| {
            let class = &figures.classes[class];
            (class.deliveries > 0).then(|| class.delay_ms(permille) as f64)
        };
        let delays: Vec<f64> = runs.iter().filter_map(of_run).collect();
        (!delays.is_empty()).then(|| delays.iter().sum::<f64>() / delays.len() as f64)
    };
    (hit_percent, delays(500).zip(delays(990)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crowd::Knobs;
    use crate::forecast::{Deployment, Workload};

    /// All is included up to some amount, and costs by what is more.
    #[test]
    fn messages_cost_the_same_each_up_to_what_an_object_bears_and_more_of_them_are_not_feasible() {
        let [deployment, ..] = Deployment::defaults();
        let effort = Effort { seeds: 2, most_seeds: 2 };
        let forecast = |rate: f64| {
            let workload =
                Workload { readers: 2, writes_per_second: [rate; 24], kept_days: 0.0, ..Workload::default() };
            let case = Case { workload: &workload, deployment: &deployment, knobs: Knobs::default() };
            Forecast::of(case, &Background { classes: Vec::new() }, effort, &|_| ())
        };
        let rates = [50.0, 200.0, 500.0, 900.0];
        let forecasts = rates.map(forecast);
        assert!(forecasts.iter().all(|forecast| forecast.infeasible.is_none() && forecast.seeds == 2));
        let costs = forecasts.map(|forecast| forecast.costs() as f64);
        let a_rate = |from: usize| (costs[from + 1] - costs[from]) / (rates[from + 1] - rates[from]);
        for from in [1, 2] {
            assert!((a_rate(from) / a_rate(0) - 1.0).abs() < 0.05, "{costs:?}");
        }
        let beyond = forecast(1_100.0);
        assert_eq!(beyond.seeds, 1);
        assert!(beyond.infeasible.is_some_and(|limit| limit.starts_with("an object is asked 1")), "no limit");
    }
}
