//! What caches in front of the Worker have done, as the world knows it: whose bytes each of them has handed to whom, and
//! when those had been asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Op;
use crate::world::{FetchedFor, FrontFetch, FrontVisit, FrontVisited};

/// What caches in front have done in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fronts {
    /// What was handed out, by the number of the request that has it.
    pub handed: BTreeMap<u64, Handed>,
    /// Who has waited for another's request to the Worker until it had waited too long, or left.
    pub in_vain: Vec<Unserved>,
    /// Who was told that there is no answer.
    pub failed: Vec<Unserved>,
    /// What was asked of the Worker, in the order of time.
    pub fetches: Vec<FrontFetch>,
    /// By the number of the request: the place in `fetches` of the last of it.
    of_requests: BTreeMap<u64, usize>,
}

/// A request for which a cache in front had no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unserved {
    /// The number of the request.
    pub request: u64,
    /// When that was over, in virtual ms.
    pub ms: u64,
    /// At which cache, and under which key, as in [`FrontFetch`]: requests that ask for different things may have one
    /// key, until an answer says by which fields of a request it varies.
    pub place: (Arc<str>, Arc<str>),
}

/// An answer that a cache in front has handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handed {
    /// When, in virtual ms.
    pub ms: u64,
    /// The number of the request to the Worker that has brought the bytes.
    pub by: u64,
    /// When the cache was last told that what it had for the URL still holds, in virtual ms; `None` if it was not. What it
    /// had then may have been brought before.
    pub confirmed_ms: Option<u64>,
    /// How it came to have them.
    pub how: How,
}

/// How a cache in front came to have an answer for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It had been stored, and was fresh.
    Hit,
    /// It had been stored, was fresh no more, and is asked for again meanwhile.
    Stale,
    /// Another request had asked for it already.
    Joined,
}

impl Fronts {
    /// From what the world has noted.
    pub fn of(visits: Vec<FrontVisit>, fetches: Vec<FrontFetch>) -> Self {
        let mut fronts = Self::default();
        fetches.into_iter().for_each(|fetch| fronts.fetch(fetch));
        for FrontVisit { ms, request, what, colo, node, key } in visits {
            let unserved = || Unserved { request, ms, place: (format!("{colo}/{node}").into(), key.clone()) };
            let (by, how) = match what {
                FrontVisited::Failed => {
                    fronts.failed.push(unserved());
                    continue;
                }
                FrontVisited::WaitOver | FrontVisited::Left => {
                    fronts.in_vain.push(unserved());
                    continue;
                }
                FrontVisited::Hit { by, .. } => (by, How::Hit),
                FrontVisited::Stale { by, .. } => (by, How::Stale),
                FrontVisited::Joined { by, .. } => (by, How::Joined),
                _ => continue,
            };
            fronts.handed.insert(request, Handed { ms, by, confirmed_ms: fronts.confirmed_ms(ms, by), how });
        }
        fronts
    }

    /// Adds a request to the Worker.
    pub fn fetch(&mut self, fetch: FrontFetch) {
        self.of_requests.insert(fetch.request, self.fetches.len());
        self.fetches.push(fetch);
    }

    /// When a cache was last told before `ms` that what this request had brought still holds, at the latest.
    fn confirmed_ms(&self, ms: u64, by: u64) -> Option<u64> {
        let brought = self.fetch_of(by)?;
        let confirms = |fetch: &&FrontFetch| fetch.why == FetchedFor::Freshness && fetch.place == brought.place;
        self.fetches.iter().filter(confirms).filter_map(|fetch| fetch.to_ms).filter(|to_ms| *to_ms <= ms).max()
    }

    /// The last request of that number to the Worker.
    pub fn fetch_of(&self, request: u64) -> Option<&FrontFetch> {
        self.of_requests.get(&request).map(|place| &self.fetches[*place])
    }

    /// When a request has come to the Worker, in virtual ms; `None` for one that has waited in front for others until it
    /// left.
    pub fn came_ms(&self, op: &Op) -> Option<u64> {
        match self.fetch_of(op.request) {
            Some(fetch) => Some(fetch.from_ms),
            None if self.in_vain.iter().any(|unserved| unserved.request == op.request) => None,
            None => Some(op.invoked.ms),
        }
    }

    /// What was handed to a request, if no request of its own has brought it.
    pub fn handed_to(&self, op: &Op) -> Option<Handed> {
        self.handed.get(&op.request).copied()
    }

    /// From when to when the bytes of that request to the Worker may have been given, in virtual ms.
    pub fn given_ms(&self, by: u64) -> (u64, u64) {
        self.fetch_of(by).map_or((0, u64::MAX), |fetch| (fetch.from_ms, fetch.to_ms.unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(request: u64, from_ms: u64, to_ms: Option<u64>, why: FetchedFor) -> FrontFetch {
        FrontFetch {
            request,
            asks: request,
            place: ("node".into(), "key".into()),
            from_ms,
            to_ms,
            over_ms: to_ms,
            is_given_up: false,
            why,
        }
    }

    #[test]
    fn what_is_handed_out_is_as_old_as_its_fetch_or_as_the_last_word_that_it_still_holds() {
        let visit = |ms, request, what| FrontVisit { ms, colo: 0, node: 0, request, key: "key".into(), what };
        let hit = FrontVisited::Hit { by: 1, upper: false };
        let fronts = Fronts::of(
            vec![
                visit(5, 1, FrontVisited::Fetched),
                visit(9, 2, hit),
                visit(70, 3, FrontVisited::Stale { by: 1, upper: false }),
                visit(90, 5, hit),
                visit(95, 6, FrontVisited::Joined { by: 7, upper: true }),
            ],
            vec![
                fetch(1, 2, Some(5), FetchedFor::Miss),
                fetch(4, 70, Some(75), FetchedFor::Freshness),
                fetch(8, 71, None, FetchedFor::Freshness),
            ],
        );
        let handed: Vec<_> = fronts
            .handed
            .iter()
            .map(|(request, handed)| (*request, handed.by, handed.confirmed_ms, handed.how))
            .collect();
        assert_eq!(
            handed,
            [(2, 1, None, How::Hit), (3, 1, None, How::Stale), (5, 1, Some(75), How::Hit), (6, 7, None, How::Joined)]
        );
        assert_eq!([1, 8, 7].map(|by| fronts.given_ms(by)), [(2, 5), (71, u64::MAX), (0, u64::MAX)]);
    }
}
