//! Whatever happens, and in whichever order: each visitor has one fate, and nobody is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use super::arrival::{Arrival, Failed, Fetch, How, Verdict};
use super::asking::{Asking, Kind};
use super::head::Head;
use super::knobs::{AgeFrom, FreshnessKnobs, LockKnobs, ZoneKnobs};
use super::machine::Front;
use super::zone::Zone;
use crate::kernel::random::Random;

/// Visitors of a run.
const VISITORS: u64 = 300;

/// What answers say of caches. The status tells which of them may be shared, and with whom.
const CONTROLS: [&str; 6] =
    ["max-age=1", "max-age=1, stale-while-revalidate=2", "no-store", "no-cache", "private, max-age=9", "max-age=0"];

/// A cache, its visitors, and what is under way.
struct Run {
    random: Random,
    zone: Zone<u64, u64>,
    now_us: u64,
    /// Until when each visitor waits, if it waits and has no fetch.
    waiting: BTreeMap<u64, u64>,
    /// The fetches under way, each with the visitor for which it is made, and whether its head has come.
    fetches: BTreeMap<u64, (Option<u64>, Fetch, bool)>,
    /// Visitors with an answer, without one, and those who have left.
    done: BTreeSet<u64>,
    /// What each fetch has brought: whether others may have it.
    is_shareable: BTreeMap<u64, bool>,
    streams: bool,
}

impl Run {
    fn new(seed: u64) -> Self {
        let random = Random::new(seed);
        let lock = LockKnobs {
            locks: random.chance(900),
            wait_ms: random.between(100, 2_000),
            age_ms: random.between(100, 2_000),
            streams: random.chance(500),
            predicts: random.between(0, 2) as usize,
        };
        let freshness = FreshnessKnobs {
            age_from: if random.chance(500) { AgeFrom::Start } else { AgeFrom::End },
            keeps_no_cache: random.chance(500),
            ..FreshnessKnobs::default()
        };
        let knobs = ZoneKnobs { nodes: 2, affinity_permille: 1_000, tiered: random.chance(600), freshness, lock };
        Self {
            random,
            zone: Zone::new(knobs, None),
            now_us: 1_000_000_000,
            waiting: BTreeMap::new(),
            fetches: BTreeMap::new(),
            done: BTreeSet::new(),
            is_shareable: BTreeMap::new(),
            streams: lock.streams,
        }
    }

    fn fetch(&mut self, visitor: Option<u64>, fetch: Fetch) {
        let before = self.fetches.insert(fetch.number, (visitor, fetch, false));
        assert!(before.is_none(), "a fetch is told once");
    }

    fn ends(&mut self, visitor: u64) {
        assert!(self.done.insert(visitor), "{visitor} has one fate");
        assert_eq!(self.waiting.remove(&visitor), None);
    }

    fn take(&mut self, verdicts: Vec<(u64, Verdict<u64>)>) {
        for (visitor, verdict) in verdicts {
            match verdict {
                Verdict::Serve(served) => {
                    let is_own = matches!(served.how, How::Fetched | How::Passed | How::Revalidated);
                    assert!(is_own || self.is_shareable[&served.by], "{visitor} is served what is not for all");
                    self.waiting.remove(&visitor);
                    self.ends(visitor);
                }
                Verdict::Failed => {
                    self.waiting.remove(&visitor);
                    self.ends(visitor);
                }
                Verdict::Fetch(fetch) => {
                    self.waiting.remove(&visitor);
                    self.fetch(Some(visitor), fetch);
                }
                Verdict::Wait { until_us } => {
                    self.waiting.insert(visitor, until_us);
                }
            }
        }
    }

    fn arrive(&mut self, visitor: u64) {
        let (key, colo) = (self.random.between(0, 2), self.random.between(0, 1) as usize);
        let drawn = self.random.between(0, 1);
        match self
            .zone
            .arrive(self.now_us, Asking { colo, drawn, kind: Kind::SubRequest, ..Asking::new(key, visitor, 0) })
        {
            Arrival::Serve { served, refresh } => {
                assert!(self.is_shareable[&served.by]);
                self.ends(visitor);
                if let Some(fetch) = refresh {
                    self.fetch(None, fetch);
                }
            }
            Arrival::Fetch(fetch) => self.fetch(Some(visitor), fetch),
            Arrival::Wait { until_us } => {
                self.waiting.insert(visitor, until_us);
            }
        }
    }

    /// Something comes of a fetch.
    fn go_on(&mut self, number: u64) {
        let (visitor, fetch, has_head) = self.fetches[&number].clone();
        let verdicts = match has_head {
            true => {
                self.fetches.remove(&number);
                let end = if self.random.chance(700) { Ok(()) } else { Err(Failed) };
                self.zone.ended(self.now_us, number, end)
            }
            false if self.random.chance(200) => {
                self.fetches.remove(&number);
                self.zone.fetched(self.now_us, number, Err(Failed))
            }
            false => {
                let is_304 = fetch.tag.is_some() && self.random.chance(500);
                // A 304 leaves what was said.
                let control = if is_304 { "" } else { self.random.among(&CONTROLS) };
                let status = if is_304 { 304 } else { 200 };
                let head = Head::new(status, control).with_tag("t");
                if !is_304 {
                    self.is_shareable.insert(1_000 + number, control.starts_with("max-age=1"));
                }
                match !is_304 && self.random.chance(400) {
                    true => {
                        self.fetches.insert(number, (None, fetch, true));
                        self.zone.began(self.now_us, number, head, 1_000 + number, 1_000 + number)
                    }
                    false => {
                        self.fetches.remove(&number);
                        self.zone.fetched(self.now_us, number, Ok((head, 1_000 + number, 1_000 + number)))
                    }
                }
            }
        };
        let own = visitor.filter(|_| !has_head);
        let has_own = own.is_none_or(|own| verdicts.iter().any(|(who, _)| *who == own));
        assert!(has_own, "who has a fetch learns what comes of it: {own:?} of {verdicts:?}");
        self.take(verdicts);
    }

    fn leave(&mut self, visitor: u64) {
        let abandoned = self.zone.left(self.now_us, visitor);
        self.waiting.remove(&visitor);
        self.ends(visitor);
        if let Some(abandoned) = abandoned {
            if let Some(number) = abandoned.fetch {
                assert_eq!(self.fetches.remove(&number).map(|(of, ..)| of), Some(Some(visitor)));
            }
            self.take(abandoned.others);
        }
    }

    fn step(&mut self, next: &mut u64) {
        self.now_us += self.random.between(0, 60_000);
        let due: Vec<u64> =
            self.waiting.iter().filter(|(_, until_us)| **until_us <= self.now_us).map(|(who, _)| *who).collect();
        for visitor in due {
            // What has become of one may have become of the next.
            if self.waiting.get(&visitor).is_some_and(|until_us| *until_us <= self.now_us) {
                let verdicts = self.zone.wait_over(self.now_us, visitor);
                self.take(verdicts);
            }
        }
        let there: Vec<u64> = self.waiting.keys().copied().chain(self.of_fetches()).collect();
        let numbers: Vec<u64> = self.fetches.keys().copied().collect();
        match self.random.between(0, 9) {
            0..5 if *next < VISITORS => {
                *next += 1;
                self.arrive(*next);
            }
            5 if !there.is_empty() => self.leave(self.random.among(&there)),
            _ if !numbers.is_empty() => self.go_on(self.random.among(&numbers)),
            _ => {}
        }
    }

    /// Visitors that have a fetch and no answer.
    fn of_fetches(&self) -> impl Iterator<Item = u64> {
        self.fetches.values().filter_map(|(visitor, ..)| *visitor)
    }
}

#[test]
fn each_visitor_has_one_fate_and_nobody_is_forgotten() {
    let mut streamed = 0;
    for seed in 0..300 {
        let (mut run, mut next) = (Run::new(seed), 0);
        let mut steps = 0;
        while next < VISITORS || run.done.len() < VISITORS as usize || !run.fetches.is_empty() {
            run.step(&mut next);
            steps += 1;
            assert!(steps < 20_000, "seed {seed}: {} wait, {} fetches", run.waiting.len(), run.fetches.len());
        }
        assert!(run.zone.is_idle(), "seed {seed}: something is left");
        streamed += u64::from(run.streams);
    }
    assert!((50..250).contains(&streamed));
}
