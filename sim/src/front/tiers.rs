//! Nodes of a cache, and perhaps an upper tier that all of them ask before the origin is asked. To the upper tier a fetch
//! of a node is a visitor, which waits, is served, or has to fetch for itself; then the visitor of that node is told to.
//! What passes a node passes the upper tier, and who has waited at one waits at no other ((assumed)).
//!
//! What has to be asked for each time (`no-cache`) frees those who have waited for it as what is uncacheable does, but they
//! ask by its tag. (Pingora has them compete for the lock again, so that they ask one after the other; (assumed).)

use std::collections::BTreeMap;

use super::arrival::{Abandoned, Answer, Arrival, Failed, Fetch, How, Outcome, Verdict};
use super::bug::FrontBug;
use super::fetching::{Came, Fetching, Party, Place, Waiting, Wants};
use super::freshness::{Freshness, SECOND_US};
use super::knobs::{FreshnessKnobs, LockKnobs};
use super::lock::{Locks, Over};
use super::predictor::Predictor;
use super::store::{Entry, State, Store};

/// What becomes of whom.
pub(super) type Verdicts<A> = Vec<(u64, Verdict<A>)>;

/// Nodes of a cache, and perhaps an upper tier.
pub struct Tiers<K, A> {
    pub(super) freshness: Freshness,
    pub(super) lock: LockKnobs,
    pub(super) bug: Option<FrontBug>,
    lowers: Vec<Node<K, A>>,
    upper: Option<Node<K, A>>,
    pub(super) fetches: BTreeMap<u64, Fetching<K, A>>,
    fetches_begun: u64,
    /// Who has a fetch, with its number.
    pub(super) fetching: BTreeMap<Party, u64>,
    pub(super) waiting: BTreeMap<Party, Waiting<K>>,
    /// By the fetch from the origin: where its answer is kept while it comes.
    pub(super) coming: BTreeMap<u64, Vec<(Place, K)>>,
    /// By the fetch from the origin: the fetches whose answers are kept once they are whole.
    pub(super) held_back: BTreeMap<u64, Vec<u64>>,
    /// Verdicts about others than the one whose arrival has brought them about.
    late: Verdicts<A>,
}

/// A node of a cache.
pub(super) struct Node<K, A> {
    pub(super) store: Store<K, A>,
    pub(super) locks: Locks<K, Party>,
    pub(super) predictor: Predictor<K>,
}

/// What a node says to who asks.
enum Step<A> {
    /// It is served; a fetch has begun that freshens what it is served.
    Serve(Came<A>, How, Option<u64>),
    Fetch(u64),
    Wait(u64),
}

/// What becomes of a fetch of a node.
enum Carried<A> {
    /// It goes to the origin.
    Origin(Fetch),
    /// It waits at the upper tier, until then at most.
    Waits(u64),
    /// The upper tier had it, and perhaps fetches it again.
    Served(Came<A>, Option<Fetch>),
}

/// How who has waited asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It takes the lock over.
    Leads,
    /// By itself.
    Alone,
    /// By itself, past the cache.
    Passes,
}

impl<K: Ord + Clone, A: Answer> Node<K, A> {
    fn new(lock: LockKnobs, bug: Option<FrontBug>) -> Self {
        let (locks, predictor) = (Locks::new(lock, bug), Predictor::new(lock.predicts, bug));
        Self { store: Store::new(), locks, predictor }
    }
}

impl<K: Ord + Clone, A: Answer> Tiers<K, A> {
    pub(super) fn new(freshness: FreshnessKnobs, lock: LockKnobs, has_upper: bool, bug: Option<FrontBug>) -> Self {
        Self {
            freshness: Freshness { knobs: freshness, bug },
            lock,
            bug,
            lowers: Vec::new(),
            upper: has_upper.then(|| Node::new(lock, bug)),
            fetches: BTreeMap::new(),
            fetches_begun: 0,
            fetching: BTreeMap::new(),
            waiting: BTreeMap::new(),
            coming: BTreeMap::new(),
            held_back: BTreeMap::new(),
            late: Vec::new(),
        }
    }

    /// A visitor asks a node of the lower tier.
    pub(super) fn arrive(&mut self, now_us: u64, node: usize, visitor: u64, wants: Wants<K>) -> Arrival<A> {
        let place = Place::Lower(node);
        let number = match self.ask(now_us, place, Party::Visitor(visitor), wants, true) {
            Step::Serve(came, how, refresh) => {
                let refresh = refresh.and_then(|number| self.carry_refresh(now_us, number));
                return Arrival::Serve { served: came.served(how, place.tier()), refresh };
            }
            Step::Wait(until_us) => return Arrival::Wait { until_us },
            Step::Fetch(number) => number,
        };
        match self.carry(now_us, number, true) {
            Carried::Origin(fetch) => Arrival::Fetch(fetch),
            Carried::Waits(until_us) => Arrival::Wait { until_us },
            Carried::Served(came, refresh) => {
                let mut verdicts = Vec::new();
                self.settle(now_us, number, Ok(came), &mut verdicts);
                let mut own = None;
                for (who, verdict) in verdicts {
                    match verdict {
                        Verdict::Serve(served) if who == visitor => own = Some(served),
                        verdict => self.late.push((who, verdict)),
                    }
                }
                let served = own.expect("who has a fetch is served what comes of it");
                Arrival::Serve { served, refresh }
            }
        }
    }

    /// What a node says to a party.
    fn ask(&mut self, now_us: u64, place: Place, who: Party, wants: Wants<K>, may_refresh: bool) -> Step<A> {
        let refused = wants.no_cache && self.freshness.knobs.honours_no_cache;
        let age_limit_us = self.lock.age_ms * 1_000;
        let next = self.fetches_begun + 1;
        let node = self.node(place);
        if node.predictor.is_uncacheable(&wants.key) {
            return Step::Fetch(self.begin(now_us, place, Some(who), wants, None, true));
        }
        let mut known = None;
        if !refused && let Some(entry) = node.store.find(&wants.key, &wants.fields) {
            let state = entry.state(now_us);
            match state {
                State::Fresh => return Step::Serve(entry.came(now_us), How::Hit, None),
                State::Stale => {
                    let came = entry.came(now_us);
                    let is_refreshed = entry.refresh.is_some_and(|(_, since_us)| now_us < since_us + age_limit_us);
                    if is_refreshed || !may_refresh {
                        return Step::Serve(came, How::Stale, None);
                    }
                    entry.refresh = Some((next, now_us));
                    let known = Some(entry.clone()).filter(|entry| entry.head.tag.is_some());
                    if node.locks.exist() {
                        node.locks.hold(now_us, &wants.key, next);
                    }
                    let number = self.begin(now_us, place, None, wants, known, false);
                    return Step::Serve(came, How::Stale, Some(number));
                }
                State::Ended => known = Some(entry.clone()).filter(|entry| entry.head.tag.is_some()),
            }
        }
        if node.locks.exist() && !refused && !wants.is_alone {
            if let Some(until_us) = node.locks.wait(now_us, &wants.key, who) {
                self.waiting.insert(who, Waiting { place, wants });
                return Step::Wait(until_us);
            }
            node.locks.hold(now_us, &wants.key, next);
        }
        Step::Fetch(self.begin(now_us, place, Some(who), wants, known, false))
    }

    /// A fetch of a node begins.
    fn begin(
        &mut self,
        now_us: u64,
        place: Place,
        party: Option<Party>,
        wants: Wants<K>,
        known: Option<Entry<A>>,
        passes: bool,
    ) -> u64 {
        self.fetches_begun += 1;
        let number = self.fetches_begun;
        if let Some(who) = party {
            self.fetching.insert(who, number);
        }
        let fetching = Fetching { place, wants, party, asked_us: now_us, known, passes, pending: None };
        self.fetches.insert(number, fetching);
        number
    }

    /// Brings a fetch of a node to the upper tier, if there is one, or to the origin.
    fn carry(&mut self, now_us: u64, number: u64, may_refresh: bool) -> Carried<A> {
        let wants = self.fetches.get(&number).filter(|fetching| fetching.place != Place::Upper && !fetching.passes);
        let Some(wants) = wants.map(|fetching| fetching.wants.clone()).filter(|_| self.upper.is_some()) else {
            return Carried::Origin(self.told(number));
        };
        match self.ask(now_us, Place::Upper, Party::Fetch(number), wants, may_refresh) {
            Step::Serve(came, how, refresh) => {
                let via = Some((how, Place::Upper.tier()));
                Carried::Served(Came { via, ..came }, refresh.map(|refresh| self.told(refresh)))
            }
            Step::Fetch(upper) => Carried::Origin(self.told(upper)),
            Step::Wait(until_us) => Carried::Waits(until_us),
        }
    }

    /// The same for a fetch that freshens what is served stale. Returns what the caller carries out for it.
    fn carry_refresh(&mut self, now_us: u64, number: u64) -> Option<Fetch> {
        match self.carry(now_us, number, true) {
            Carried::Origin(fetch) => Some(fetch),
            Carried::Waits(_) => None,
            Carried::Served(came, refresh) => {
                let mut verdicts = Vec::new();
                self.settle(now_us, number, Ok(came), &mut verdicts);
                self.late.append(&mut verdicts);
                refresh
            }
        }
    }

    /// A fetch, as the caller is told of it.
    fn told(&mut self, number: u64) -> Fetch {
        let Some(fetching) = self.fetches.get(&number) else {
            return Fetch { number, tag: None, holds_lock: false, passes: true };
        };
        let (place, key, passes) = (fetching.place, fetching.wants.key.clone(), fetching.passes);
        let tag = fetching.known.as_ref().and_then(|known| known.head.tag.clone());
        Fetch { number, tag, holds_lock: self.node(place).locks.is_held_by(&key, number), passes }
    }

    /// A fetch from the origin ends, or its head has come.
    pub(super) fn fetched(&mut self, now_us: u64, number: u64, outcome: Outcome<A>, is_whole: bool) -> Verdicts<A> {
        let mut verdicts = std::mem::take(&mut self.late);
        let coming = (!is_whole).then_some(number);
        let outcome = outcome.map(|(head, answer, by)| Came { head, answer, by, came_us: now_us, coming, via: None });
        self.settle(now_us, number, outcome, &mut verdicts);
        verdicts
    }

    /// The body of a fetch from the origin has come to its end.
    pub(super) fn ended(&mut self, now_us: u64, number: u64, end: Result<(), Failed>) -> Verdicts<A> {
        let mut verdicts = std::mem::take(&mut self.late);
        for (place, key) in self.coming.remove(&number).unwrap_or_default() {
            self.node(place).store.ended(&key, number, end.is_ok());
        }
        for held_back in self.held_back.remove(&number).unwrap_or_default() {
            let pending = self.fetches.get_mut(&held_back).and_then(|fetching| fetching.pending.take());
            let outcome = end.and(pending.map(|came| Came { coming: None, ..came }).ok_or(Failed));
            self.settle(now_us, held_back, outcome, &mut verdicts);
        }
        verdicts
    }

    /// A visitor has waited for as long as it was told to.
    pub(super) fn wait_over(&mut self, now_us: u64, visitor: u64) -> Verdicts<A> {
        let mut verdicts = std::mem::take(&mut self.late);
        let Some(who) = self.waits(visitor) else { return verdicts };
        let Some(waiting) = self.waiting.get(&who).cloned() else { return verdicts };
        match self.node(waiting.place).locks.wait_over(now_us, &waiting.wants.key, who) {
            Some(Over::Wait(until_us)) => verdicts.push((visitor, Verdict::Wait { until_us })),
            Some(Over::Leads) => self.lead(now_us, who, Manner::Leads, &mut verdicts),
            Some(Over::Asks) => self.lead(now_us, who, Manner::Alone, &mut verdicts),
            None => {}
        }
        verdicts
    }

    /// As whom a visitor waits: as itself, or as the fetch that its node has for it.
    fn waits(&self, visitor: u64) -> Option<Party> {
        let itself = Party::Visitor(visitor);
        if self.waiting.contains_key(&itself) {
            return Some(itself);
        }
        self.fetching.get(&itself).map(|number| Party::Fetch(*number)).filter(|who| self.waiting.contains_key(who))
    }

    /// A visitor leaves before it has its answer.
    pub(super) fn left(&mut self, now_us: u64, visitor: u64) -> Option<Abandoned<A>> {
        let mut others = std::mem::take(&mut self.late);
        let itself = Party::Visitor(visitor);
        if self.stop_waiting(itself) {
            return (!others.is_empty()).then_some(Abandoned { fetch: None, others });
        }
        let number = self.fetching.remove(&itself)?;
        let waits = self.stop_waiting(Party::Fetch(number));
        let upper = self.fetching.remove(&Party::Fetch(number));
        for lost in upper.into_iter().chain([number]) {
            if let Some(fetching) = self.fetches.get_mut(&lost) {
                fetching.party = None;
            }
            if self.bug == Some(FrontBug::LeaverCancelsAll) {
                self.fail_waiters(now_us, lost, &mut others);
            }
            self.settle(now_us, lost, Err(Failed), &mut others);
        }
        Some(Abandoned { fetch: upper.or((!waits).then_some(number)), others })
    }

    fn stop_waiting(&mut self, who: Party) -> bool {
        let Some(Waiting { place, wants }) = self.waiting.remove(&who) else { return false };
        self.node(place).locks.leave(&wants.key, who);
        true
    }

    /// The bug: those who wait for a fetch have no answer.
    fn fail_waiters(&mut self, now_us: u64, number: u64, verdicts: &mut Verdicts<A>) {
        let Some(fetching) = self.fetches.get(&number) else { return };
        let (place, key) = (fetching.place, fetching.wants.key.clone());
        for who in self.node(place).locks.release(&key, number) {
            self.waiting.remove(&who);
            self.give(now_us, who, Err(Failed), How::Joined, place, verdicts);
        }
    }

    /// Who has waited asks.
    pub(super) fn lead(&mut self, now_us: u64, who: Party, manner: Manner, verdicts: &mut Verdicts<A>) {
        let Some(Waiting { place, wants }) = self.waiting.remove(&who) else { return };
        let next = self.fetches_begun + 1;
        let node = self.node(place);
        let mut known = None;
        if manner != Manner::Passes
            && let Some(entry) = node.store.find(&wants.key, &wants.fields)
        {
            if entry.state(now_us) == State::Fresh {
                let came = entry.came(now_us);
                return self.give(now_us, who, Ok(came), How::Hit, place, verdicts);
            }
            known = Some(entry.clone()).filter(|entry| entry.head.tag.is_some());
        }
        let wants = Wants { is_alone: manner != Manner::Leads, ..wants };
        if manner == Manner::Leads {
            node.locks.hold(now_us, &wants.key, next);
        }
        let number = self.begin(now_us, place, Some(who), wants, known, manner == Manner::Passes);
        let visitor = match who {
            Party::Visitor(visitor) => Some(visitor),
            Party::Fetch(lower) => match self.fetches.get(&lower).and_then(|fetching| fetching.party) {
                Some(Party::Visitor(visitor)) => Some(visitor),
                _ => None,
            },
        };
        // What freshens something in the background asks only where it need not wait.
        let Some(visitor) = visitor else { return self.settle(now_us, number, Err(Failed), verdicts) };
        match self.carry(now_us, number, false) {
            Carried::Origin(fetch) => verdicts.push((visitor, Verdict::Fetch(fetch))),
            Carried::Waits(until_us) => verdicts.push((visitor, Verdict::Wait { until_us })),
            Carried::Served(came, _) => self.settle(now_us, number, Ok(came), verdicts),
        }
    }

    pub(super) fn node(&mut self, place: Place) -> &mut Node<K, A> {
        match place {
            Place::Upper => self.upper.get_or_insert_with(|| Node::new(self.lock, self.bug)),
            Place::Lower(index) => {
                while self.lowers.len() <= index {
                    self.lowers.push(Node::new(self.lock, self.bug));
                }
                &mut self.lowers[index]
            }
        }
    }
}

impl<A: Clone> Entry<A> {
    /// What is kept, as it is now.
    pub(super) fn came(&self, now_us: u64) -> Came<A> {
        let age_s = self.age_us(now_us) / SECOND_US;
        let head = super::head::Head { age_s, ..self.head.clone() };
        Came { head, answer: self.answer.clone(), by: self.by, came_us: now_us, coming: self.coming, via: None }
    }
}
