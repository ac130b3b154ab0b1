//! What comes of an answer: whether it is kept, and what becomes of those who wait for it.

use super::arrival::{Answer, Failed, How, Verdict};
use super::bug::FrontBug;
use super::fetching::{Came, Fetching, Party, Place};
use super::freshness::{Lifetime, SECOND_US};
use super::head::{Control, Head, Vary};
use super::store::{Entry, State, selection};
use super::tiers::{Manner, Tiers, Verdicts};

impl<K: Ord + Clone, A: Answer> Tiers<K, A> {
    /// A fetch of a node has an answer, or is lost. A second report means nothing.
    pub(super) fn settle(
        &mut self,
        now_us: u64,
        number: u64,
        outcome: Result<Came<A>, Failed>,
        verdicts: &mut Verdicts<A>,
    ) {
        let Some(fetching) = self.fetches.remove(&number) else { return };
        if let Some(who) = fetching.party {
            self.fetching.remove(&who);
        }
        match outcome {
            Ok(came) => self.arrived(now_us, number, fetching, came, verdicts),
            Err(Failed) => self.lost(now_us, number, fetching, verdicts),
        }
    }

    /// A fetch is lost: what is kept stays, and one of those who wait fetches now. If it need not, since an earlier fetch whose
    /// lock had become too old has brought an answer meanwhile, the next one looks.
    fn lost(&mut self, now_us: u64, number: u64, fetching: Fetching<K, A>, verdicts: &mut Verdicts<A>) {
        let (place, wants) = (fetching.place, fetching.wants);
        let node = self.node(place);
        node.store.end_refresh(&wants.key, &wants.fields, number);
        let mut next = node.locks.lost(&wants.key, number);
        if let Some(who) = fetching.party {
            self.give(now_us, who, Err(Failed), How::Fetched, place, verdicts);
        }
        while let Some(who) = next {
            self.lead(now_us, who, Manner::Leads, verdicts);
            next = self.node(place).locks.lost(&wants.key, number);
        }
    }

    /// A fetch has its answer, as a whole or its head.
    fn arrived(
        &mut self,
        now_us: u64,
        number: u64,
        mut fetching: Fetching<K, A>,
        mut came: Came<A>,
        verdicts: &mut Verdicts<A>,
    ) {
        let (place, wants) = (fetching.place, fetching.wants.clone());
        let known = fetching.known.take().filter(|_| came.head.status == 304);
        let mut how = How::Fetched;
        let old_lifetime = known.as_ref().map(|known| known.lifetime);
        // Only the visitor itself can have asked by a tag that is not the cache's.
        let is_for_the_visitor_alone = came.head.status == 304 && known.is_none();
        if let Some(known) = known {
            how = How::Revalidated;
            came = self.freshened(known, came);
        }
        let takes_old = self.bug == Some(FrontBug::RevalidationTakesOldLifetime);
        let lifetime = self.freshness.lifetime(&came.head, wants.has_authorization);
        let lifetime = old_lifetime.filter(|_| takes_old).or(lifetime);
        let entry = lifetime.map(|lifetime| self.entry(&fetching, &came, lifetime));
        let is_fresh = entry.as_ref().is_some_and(|entry| entry.state(now_us) == State::Fresh);
        if came.coming.is_some() && is_fresh && !self.lock.streams {
            return self.hold_back(now_us, number, fetching, came, how, verdicts);
        }
        let keeps = !fetching.passes || came.head.status == 200;
        let honours_vary = self.freshness.knobs.honours_vary;
        let node = self.node(place);
        let is_kept = entry.is_some() && keeps;
        match entry {
            Some(entry) => {
                node.predictor.forget(&wants.key);
                if keeps {
                    node.store.put(now_us, &wants.key, &wants.fields, entry);
                }
            }
            None if is_for_the_visitor_alone => {}
            None => {
                node.predictor.remember(&wants.key);
                // An origin that cannot answer says nothing about what is kept.
                match came.head.status < 500 {
                    true => node.store.remove(&wants.key, &wants.fields),
                    false => node.store.end_refresh(&wants.key, &wants.fields, number),
                }
            }
        }
        let waiters = node.locks.release(&wants.key, number);
        if let Some(root) = came.coming.filter(|_| is_kept) {
            self.coming.entry(root).or_default().push((place, wants.key.clone()));
        }
        if let Some(who) = fetching.party {
            let how = if lifetime.is_none() && how == How::Fetched { How::Passed } else { how };
            self.give(now_us, who, Ok(came.clone()), how, place, verdicts);
        }
        let is_shared = is_fresh || lifetime.is_none() && self.bug == Some(FrontBug::UncacheableShared);
        let selected = selection(&came.head.vary, &wants.fields, honours_vary);
        for who in waiters {
            let selects = self
                .waiting
                .get(&who)
                .is_some_and(|waiting| selection(&came.head.vary, &waiting.wants.fields, honours_vary) == selected);
            if is_shared && selects {
                self.waiting.remove(&who);
                let age_us = now_us.saturating_sub(self.given_us(&fetching, &came));
                let head = Head { age_s: age_us / SECOND_US, ..came.head.clone() };
                let shared = Came { head, via: Some((How::Joined, place.tier())), ..came.clone() };
                self.give(now_us, who, Ok(shared), How::Joined, place, verdicts);
            } else {
                let manner = if lifetime.is_none() { Manner::Passes } else { Manner::Alone };
                self.lead(now_us, who, manner, verdicts);
            }
        }
    }

    /// Serves the fetch's own visitor, and keeps the answer from all others until it is whole.
    fn hold_back(
        &mut self,
        now_us: u64,
        number: u64,
        mut fetching: Fetching<K, A>,
        came: Came<A>,
        how: How,
        verdicts: &mut Verdicts<A>,
    ) {
        let (party, place) = (fetching.party.take(), fetching.place);
        if let Some(root) = came.coming {
            self.held_back.entry(root).or_default().push(number);
        }
        fetching.pending = Some(came.clone());
        self.fetches.insert(number, fetching);
        if let Some(who) = party {
            self.give(now_us, who, Ok(came), how, place, verdicts);
        }
    }

    /// What is kept, with what a 304 says of it now.
    fn freshened(&self, known: Entry<A>, came: Came<A>) -> Came<A> {
        if self.bug == Some(FrontBug::RevalidationTakesOldLifetime) {
            let head = Head { age_s: came.head.age_s, ..known.head };
            return Came { head, answer: known.answer, by: known.by, ..came };
        }
        let said = came.head;
        let head = Head {
            status: known.head.status,
            control: if said.control == Control::default() { known.head.control } else { said.control },
            age_s: said.age_s,
            tag: known.head.tag,
            vary: if said.vary == Vary::None { known.head.vary } else { said.vary },
            bytes: known.head.bytes,
        };
        Came { head, answer: known.answer.freshened(came.answer), by: known.by, ..came }
    }

    fn entry(&self, fetching: &Fetching<K, A>, came: &Came<A>, lifetime: Lifetime) -> Entry<A> {
        Entry {
            answer: came.answer.clone(),
            head: came.head.clone(),
            by: came.by,
            given_us: self.given_us(fetching, came),
            lifetime,
            selected_by: selection(&came.head.vary, &fetching.wants.fields, self.freshness.knobs.honours_vary),
            refresh: None,
            coming: came.coming,
        }
    }

    fn given_us(&self, fetching: &Fetching<K, A>, came: &Came<A>) -> u64 {
        self.freshness.given_us(fetching.asked_us, came.came_us, came.head.age_s)
    }

    /// Gives a party what came of its fetch, or of the one for which it has waited.
    pub(super) fn give(
        &mut self,
        now_us: u64,
        who: Party,
        outcome: Result<Came<A>, Failed>,
        how: How,
        place: Place,
        verdicts: &mut Verdicts<A>,
    ) {
        match (who, outcome) {
            (Party::Visitor(visitor), Ok(came)) => {
                verdicts.push((visitor, Verdict::Serve(came.served(how, place.tier()))));
            }
            (Party::Visitor(visitor), Err(Failed)) => verdicts.push((visitor, Verdict::Failed)),
            (Party::Fetch(number), Ok(came)) => {
                let by_tier = (!matches!(how, How::Fetched | How::Passed)).then_some((how, place.tier()));
                let came = Came { via: came.via.or(by_tier), came_us: now_us, ..came };
                // The upper tier was not asked by the tag of what is kept here: its 304 is about the visitor's own.
                if let Some(fetching) = self.fetches.get_mut(&number) {
                    fetching.known = None;
                }
                self.settle(now_us, number, Ok(came), verdicts);
            }
            (Party::Fetch(number), Err(Failed)) => self.settle(now_us, number, Err(Failed), verdicts),
        }
    }
}
