//! The caches of all datacenters, and the way there. A call takes time and may fail; what was sent to be stored is stored
//! though the request that has sent it has ended meanwhile.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tailrace_core::protocol::Response;

use super::store::{Found, Store};
use super::visit::{Visit, Visited};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::environment::Environment;
use crate::world::event::{Lane, What};
use crate::world::marks;

/// The caches of all datacenters.
pub struct Caches {
    environment: Rc<Environment>,
    /// By datacenter and part.
    stores: RefCell<BTreeMap<(usize, u64), Store>>,
    visits: RefCell<Vec<Visit>>,
}

/// Who uses a cache.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct Visitor {
    pub(in crate::world) colo: usize,
    pub(in crate::world) partition: u64,
    pub(in crate::world) isolate: usize,
    pub(in crate::world) request: u64,
}

impl Caches {
    pub(in crate::world) fn new(environment: Rc<Environment>) -> Self {
        Self { environment, stores: RefCell::default(), visits: RefCell::default() }
    }

    /// Caches have no faults that last.
    pub(in crate::world) fn calm(&self) {}

    /// All looks and puts so far.
    pub fn visits(&self) -> Vec<Visit> {
        self.visits.borrow().clone()
    }

    /// The requests whose answers can be seen in the cache of a datacenter, by their numbers, each once.
    pub fn held(&self, colo: usize) -> BTreeSet<u64> {
        let (stores, now_ms) = (self.stores.borrow(), self.environment.now_ms());
        let of_colo = stores.iter().filter(|((place, _), _)| *place == colo);
        of_colo.flat_map(|(_, store)| store.held(now_ms)).collect()
    }

    /// The part of a datacenter's cache that an isolate uses which starts now.
    pub(in crate::world) fn draw_partition(&self) -> u64 {
        let partitions = self.environment.faults().cache.partitions;
        self.environment.random.between(0, partitions.saturating_sub(1))
    }

    /// Whether there is a cache at all.
    fn has_zone(&self) -> bool {
        let has_zone = !self.environment.faults().cache.no_zone;
        if !has_zone {
            self.environment.mark(marks::CACHE_WITHOUT_ZONE);
        }
        has_zone
    }

    /// The answer that can be seen under the URL. It may never come to an end.
    pub(in crate::world) async fn look_up(&self, visitor: Visitor, key: &str) -> Option<Response> {
        if !self.has_zone() {
            return None;
        }
        let environment = &self.environment;
        let back_ms = self.go(environment.faults().cache.look_up).await;
        let faults = environment.faults().cache;
        if environment.chance(faults.look_up_stuck_permille) {
            environment.mark(marks::CACHE_LOOK_UP_STUCK);
            self.note(visitor, key, Visited::Stuck);
            std::future::pending::<()>().await;
        }
        let found = if environment.chance(faults.look_up_fails_permille) {
            environment.mark(marks::CACHE_LOOK_UP_FAILED);
            self.note(visitor, key, Visited::Failed);
            None
        } else {
            self.find(visitor, key)
        };
        rt::sleep_ms(back_ms).await;
        found
    }

    fn find(&self, visitor: Visitor, key: &str) -> Option<Response> {
        let environment = &self.environment;
        let mut stores = self.stores.borrow_mut();
        let store = stores.entry((visitor.colo, visitor.partition)).or_default();
        let now_ms = environment.now_ms();
        let (what, answer) = match store.find(now_ms, key) {
            Found::Entry(entry) => (Visited::Hit { by: entry.by }, Some(entry.answer.clone())),
            Found::NotVisibleYet => {
                environment.mark(marks::CACHE_NOT_VISIBLE_YET);
                (Visited::NotVisibleYet, None)
            }
            Found::Ended => {
                environment.mark(marks::CACHE_ENTRY_ENDED);
                (Visited::Ended, None)
            }
            Found::Nothing => (Visited::Missed, None),
        };
        if answer.is_some() && environment.chance(environment.faults().cache.evicted_permille) {
            environment.mark(marks::CACHE_EVICTED);
            store.delete(now_ms, key);
            self.note(visitor, key, Visited::Evicted);
            return None;
        }
        if let Visited::Hit { by } = what {
            environment.share_weakness(by, visitor.request);
        }
        self.note(visitor, key, what);
        answer
    }

    /// Stores an answer.
    pub(in crate::world) async fn put(&self, visitor: Visitor, key: &str, answer: Response) {
        if !self.has_zone() {
            return;
        }
        let environment = &self.environment;
        let back_ms = self.go(environment.faults().cache.put).await;
        let faults = environment.faults().cache;
        let what = if environment.chance(faults.put_lost_permille) {
            environment.mark(marks::CACHE_PUT_LOST);
            Visited::Lost
        } else {
            let (now_ms, after_ms) = (environment.now_ms(), environment.draw_ms(faults.visible));
            let mut stores = self.stores.borrow_mut();
            let store = stores.entry((visitor.colo, visitor.partition)).or_default();
            match store.put(now_ms, after_ms, key, answer, visitor.request) {
                Ok(()) => Visited::Stored { visible_ms: now_ms + after_ms },
                Err(_) => Visited::Refused,
            }
        };
        self.note(visitor, key, what);
        rt::sleep_ms(back_ms).await;
    }

    /// Removes what can be seen under the URL in this part of this datacenter's cache.
    pub(in crate::world) async fn remove(&self, visitor: Visitor, key: &str) {
        if !self.has_zone() {
            return;
        }
        let back_ms = self.go(self.environment.faults().cache.look_up).await;
        if let Some(store) = self.stores.borrow_mut().get_mut(&(visitor.colo, visitor.partition)) {
            store.delete(self.environment.now_ms(), key);
        }
        rt::sleep_ms(back_ms).await;
    }

    /// The way there, which is a part of the time that a call takes. Returns how long the way back takes, in ms.
    async fn go(&self, latency: Delay) -> u64 {
        let both_ms = self.environment.draw_ms(latency);
        let there_ms = self.environment.random.between(0, both_ms);
        rt::sleep_ms(there_ms).await;
        both_ms - there_ms
    }

    fn note(&self, visitor: Visitor, key: &str, what: Visited) {
        let Visitor { colo, partition, isolate, request } = visitor;
        self.environment.trace.watch().look("key of the edge cache", key);
        self.environment.note(Lane::Isolate(isolate), What::CacheVisited { key, visited: what }, Some(request));
        let ms = self.environment.now_ms();
        self.visits.borrow_mut().push(Visit { ms, colo, partition, isolate, request, key: key.into(), what });
    }
}
