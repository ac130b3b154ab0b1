//! Rows, each run with many seeds, on all processors.

use super::table::Row;
use crate::crowd::knobs::Knobs;
use crate::crowd::run;
use crate::kernel::jobs;

/// How many seeds a row is run with, and for how long each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Seeds, from 1 on.
    pub seeds: u64,
    /// For how long messages are written, in s of virtual time. The first five are not counted.
    pub seconds: u64,
}

/// What came of a row, on average over all seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The HIT rate, in percent.
    pub hit_percent: f64,
    /// The delivery, in ms, that half of all do not exceed.
    pub p50_ms: f64,
    /// The delivery, in ms, that 99 of 100 do not exceed.
    pub p99_ms: f64,
    /// How often the next tier was asked for a key.
    pub a_key: f64,
    /// Requests that a cache in front has passed on without having looked, a run.
    pub bypassed: f64,
}

impl Outcome {
    fn add(&mut self, other: Self, share: f64) {
        self.hit_percent += other.hit_percent * share;
        self.p50_ms += other.p50_ms * share;
        self.p99_ms += other.p99_ms * share;
        self.a_key += other.a_key * share;
        self.bypassed += other.bypassed * share;
    }
}

/// Runs each row with all seeds: what comes of it is the same whatever the number of processors.
pub fn trials(rows: &[Row], knobs: &Knobs, effort: Effort) -> Vec<Outcome> {
    let all: Vec<(usize, u64)> =
        (0..rows.len()).flat_map(|row| (1..=effort.seeds).map(move |seed| (row, seed))).collect();
    let done = jobs::all(&all, |(row, seed)| trial(&rows[*row], knobs, effort.seconds, *seed));
    let mut outcomes = vec![Outcome::default(); rows.len()];
    for ((row, _), outcome) in all.iter().zip(done) {
        outcomes[*row].add(outcome, 1.0 / effort.seeds as f64);
    }
    outcomes
}

fn trial(row: &Row, knobs: &Knobs, seconds: u64, seed: u64) -> Outcome {
    let setting = row.setting(knobs, seconds, seed);
    let figures = run(setting.clone());
    let followers = &figures.classes[0];
    let tier = row.tier(&setting, &figures);
    Outcome {
        hit_percent: tier.hit_percent(),
        p50_ms: followers.delay_ms(500) as f64,
        p99_ms: followers.delay_ms(990) as f64,
        a_key: tier.by_key().1,
        bypassed: tier.bypassed as f64,
    }
}
