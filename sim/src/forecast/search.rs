//! The cheapest way to deploy, of a grid of them: by successive halving, with the same seeds for all.

use std::collections::BTreeSet;

use super::deployment::Deployment;
use super::month::{Background, Effort, Forecast};
use super::slice::Case;
use super::table::Row;
use super::workload::Workload;
use crate::crowd::{Class, InFront, Knobs};
use crate::judge::scenario::Scenario;
use crate::judge::scenario::policy::correct;
use crate::judge::swarm::judge;
use crate::kernel::jobs;

/// Where it is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A Worker in front of which nothing stands.
    Worker,
    /// Behind the CDN of a zone.
    Zone,
    /// With Workers Cache.
    WorkersCache,
}

/// How long connections with events may last, in s. Half an hour is the longest: the platform gives a request 30 s of CPU
/// time, which by then bears 440 events a second.
const LIFETIMES_S: [u64; 4] = [60, 300, 900, 1_800];
/// How long long-polls may wait, in s.
const POLLS_S: [u64; 3] = [5, 10, 20];
/// Over how long those who wait for a message are told of it, in ms.
const STAGGERS_MS: [u64; 2] = [0, 100];
/// Seeds of the first round; each further one has twice as many.
const SEEDS: u64 = 2;
/// How many are left in the last round, at most.
const LAST: usize = 3;

impl Place {
    /// All of them, in the order of [`Deployment::defaults`].
    pub(super) const ALL: [Self; 3] = [Self::Worker, Self::Zone, Self::WorkersCache];

    /// Its name in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Worker => "a plain Worker",
            Self::Zone => "behind a caching zone",
            Self::WorkersCache => "with Workers Cache",
        }
    }

    fn has(self, front: InFront) -> bool {
        match front {
            InFront::Nothing => self == Self::Worker,
            InFront::Zone => self == Self::Zone,
            // In front of the default entrypoint it would answer without a check of access.
            InFront::WorkersCache => false,
            InFront::Between => self == Self::WorkersCache,
        }
    }

    /// The ways to deploy there whose policies keep all invariants, and need nothing of a cache that its vendor does not
    /// promise.
    pub(super) fn ways(self) -> Vec<Deployment> {
        let names: Vec<&str> = correct().iter().map(|policy| policy.name).collect();
        let is_meant = |deployment: &Deployment| {
            let policy = &deployment.policy;
            // Shared while they are written, which is assumed.
            let shares_events = policy.events_end_together;
            names.contains(&policy.name) && !shares_events && self.has(InFront::of(policy))
        };
        let waits = |deployment: Deployment| -> Vec<Deployment> {
            if deployment.transport == Class::Events {
                return LIFETIMES_S.map(|seconds| deployment.clone().with_sse_ms(seconds * 1_000)).to_vec();
            }
            let staggered = |ms| POLLS_S.map(|s| deployment.clone().with_long_poll_ms(s * 1_000).with_stagger_ms(ms));
            STAGGERS_MS.into_iter().flat_map(staggered).collect()
        };
        let mut ways: Vec<Deployment> = Deployment::all().into_iter().filter(is_meant).flat_map(waits).collect();
        let mut names = BTreeSet::new();
        ways.retain(|deployment| names.insert(deployment.name.clone()));
        ways
    }
}

/// A way to deploy, and those that differ from it by nothing that this workload shows.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// What it costs.
    pub row: Row,
    /// The ways that cost the same to the last count of the first seeds, as policies do that differ only in what events do
    /// not use.
    pub same: Vec<Deployment>,
}

/// The cheapest of these, best first: after each round the better half is left, until few are. Of ways that cost the same
/// the first one stands for all. What an object does not bear is out after the first round.
pub(super) fn search(workload: &Workload, ways: Vec<Deployment>, knobs: Knobs, tells: &dyn Fn(&str)) -> Vec<Found> {
    let Some(first) = ways.first() else { return Vec::new() };
    let background = Background::of(Case { workload, deployment: first, knobs });
    let round = |ways: &[Deployment], seeds| -> Vec<Row> {
        let row = |deployment: &Deployment| {
            let case = Case { workload, deployment, knobs };
            let effort = Effort { seeds, most_seeds: seeds };
            let forecast = Forecast::of(case, &background, effort, tells);
            Row { deployment: deployment.clone(), forecast, breaks: Vec::new() }
        };
        ways.iter().map(row).collect()
    };
    let mut found = distinct(round(&ways, SEEDS));
    if found.iter().any(|found| found.row.forecast.infeasible.is_none()) {
        found.retain(|found| found.row.forecast.infeasible.is_none());
    }
    let mut seeds = SEEDS;
    while found.len() > LAST {
        found.truncate(found.len().div_ceil(2).max(LAST));
        seeds *= 2;
        let ways: Vec<Deployment> = found.iter().map(|found| found.row.deployment.clone()).collect();
        found.iter_mut().zip(round(&ways, seeds)).for_each(|(found, row)| found.row = row);
        found.sort_by_key(|found| found.row.forecast.costs());
    }
    found
}

/// One of each group that costs the same, best first.
fn distinct(mut rows: Vec<Row>) -> Vec<Found> {
    rows.sort_by_key(|row| (row.forecast.infeasible.is_some(), row.forecast.costs()));
    let mut found: Vec<Found> = Vec::new();
    for row in rows {
        match found.last_mut() {
            Some(last) if last.row.forecast.costs() == row.forecast.costs() => last.same.push(row.deployment),
            _ => found.push(Found { row, same: Vec::new() }),
        }
    }
    found
}

/// How many of so many seeds, with all their faults, violate an invariant under that policy and its waits: the first ones
/// for which this policy is drawn, since what stands in front is drawn with it.
pub(super) fn violations(deployment: &Deployment, seeds: usize) -> usize {
    let policy = deployment.policy;
    let drawn = (0..).map(Scenario::draw).filter(|scenario| scenario.policy.name == policy.name);
    let scenarios: Vec<Scenario> =
        drawn.take(seeds).map(|scenario| Scenario { policy, waits: policy.waits, ..scenario }).collect();
    let is_violated = |scenario: &Scenario| !judge(scenario, None, false).violations.is_empty();
    jobs::all(&scenarios, is_violated).into_iter().filter(|is_violated| *is_violated).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_of_a_place_holds_what_is_recommended_there_and_nothing_that_breaks_an_invariant() {
        for (place, default) in Place::ALL.into_iter().zip(Deployment::defaults()) {
            let ways = place.ways();
            assert!(ways.contains(&default), "{}", default.name);
            assert!(ways.len() >= 7, "{}: {}", place.name(), ways.len());
            assert!(ways.iter().all(|way| correct().iter().any(|policy| policy.name == way.policy.name)));
        }
    }

    /// An eighth of the readers of the workload that the defaults are chosen for, in fewer datacenters.
    #[test]
    fn what_is_recommended_is_still_the_cheapest_of_a_small_grid() {
        let mut workload = Workload::default();
        workload.read("readers 1200\nregions 2\nmessage_bytes 100").expect("a workload");
        for (place, default) in Place::ALL.into_iter().zip(Deployment::defaults()) {
            let mut ways = place.ways();
            let is_of_grid = |way: &Deployment| match way.transport {
                Class::Events => matches!(way.policy.waits.sse_ms, 60_000 | 1_800_000),
                _ => way.policy.waits.long_poll_ms == 20_000 && way.policy.stagger_ms == 0,
            };
            // On a plain Worker: what differs from the default only in what long-polls are told.
            let is_the_same = |way: &Deployment| way.name == "silence, sse 1800 s";
            let has_same = ways.iter().any(is_the_same);
            assert_eq!(has_same, place == Place::Worker);
            ways.retain(|way| is_the_same(way) || way.policy.name == default.policy.name && is_of_grid(way));
            assert!(ways.len() >= 3, "{}", place.name());
            let found = search(&workload, ways, Knobs::default(), &|_| ());
            let cheapest = found.first().map(|found| found.row.deployment.name.as_str());
            assert_eq!(cheapest, Some(default.name.as_str()), "{}", place.name());
            assert_eq!(found[0].same.iter().any(is_the_same), has_same, "{}", place.name());
        }
    }
}
