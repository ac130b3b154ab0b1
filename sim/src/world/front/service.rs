//! The cache in front of a world, or between the entrypoints of its isolates. A visitor is served at once, or waits for its
//! verdict while a fetch is under way: its own or another's. Fetches go to an isolate as requests of those for whom they
//! are made; one that freshens what is served stale is a request of the cache's own.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::answer::{Kept, cache_head, not_modified, told};
use super::asked::{Asked, Key, Who};
use super::body::SharedBody;
use super::visit::{FetchedFor, FrontFetch, FrontVisit, FrontVisited, UPPER_TIER};
use crate::bill::{Cause, Meter};
use crate::front::{Arrival, Failed, Fetch, Front, How, Tier, Verdict, WorkersCache, Zone};
use crate::kernel::reply::{Reply, ReplySender, reply};
use crate::kernel::rt;
use crate::world::edge::request::Request;
use crate::world::edge::served::Served;
use crate::world::edge::state::ClientEnd;
use crate::world::environment::Environment;
use crate::world::event::{Lane, What};
use crate::world::harm::Harm;
use crate::world::marks;
use crate::world::network::travel::SLOW_MS;

/// The isolates of a datacenter, as a cache in front of them, or of their inner entrypoint, knows them.
pub(in crate::world) trait Origin {
    /// The number of a request of the cache's own.
    fn number(&self) -> u64;

    /// What a GET of that URL is billed for.
    fn cause(&self, url: &str) -> Cause;

    /// A URL as it may be written down.
    fn shown(&self, url: &str) -> String;

    /// Brings a request of that number to an isolate.
    fn serve(&self, number: u64, request: Request) -> (Reply<Served>, ClientEnd);
}

/// What stands in front of a world.
pub struct Fronts {
    environment: Rc<Environment>,
    /// Made when the first request comes.
    machine: RefCell<Option<Machine>>,
    visitors: RefCell<BTreeMap<u64, Visitor>>,
    /// What is under way for each fetch.
    ends: RefCell<BTreeMap<u64, ClientEnd>>,
    /// The last fetch for each key that others may wait for: the number of its request.
    leaders: RefCell<BTreeMap<Key, u64>>,
    visits: RefCell<Vec<FrontVisit>>,
    fetches: RefCell<Vec<FrontFetch>>,
}

/// A cache, and the node of it that a request reaches.
enum Machine {
    Zone(Box<Zone<Key, Kept>>),
    Workers(Box<WorkersCache<Key, Kept>>),
}

/// A visitor without its answer.
struct Visitor {
    place: Place,
    asked: Asked,
    origin: Rc<dyn Origin>,
    answer: ReplySender<Served>,
    came_ms: u64,
    /// Whether it has waited for another one's fetch.
    has_waited: bool,
    /// Whether something is fetched for it.
    has_fetch: Cell<bool>,
}

/// Where a request has come.
#[derive(Clone)]
struct Place {
    colo: usize,
    node: u64,
    key: Key,
}

impl Machine {
    fn front(&mut self) -> &mut dyn Front<Key, Kept> {
        match self {
            Self::Zone(zone) => &mut **zone,
            Self::Workers(cache) => &mut **cache,
        }
    }
}

impl Fronts {
    pub(in crate::world) fn new(environment: Rc<Environment>) -> Self {
        Self {
            environment,
            machine: RefCell::default(),
            visitors: RefCell::default(),
            ends: RefCell::default(),
            leaders: RefCell::default(),
            visits: RefCell::default(),
            fetches: RefCell::default(),
        }
    }

    /// What goes wrong is drawn for each fetch.
    pub(in crate::world) fn calm(&self) {}

    /// What came of each request so far.
    pub fn visits(&self) -> Vec<FrontVisit> {
        self.visits.borrow().clone()
    }

    /// All requests to the isolates so far.
    pub fn fetches(&self) -> Vec<FrontFetch> {
        self.fetches.borrow().clone()
    }

    /// Takes a request, if something stands in front of whoever it is for, and may have an answer to it. Returns its answer
    /// to come.
    pub(in crate::world) fn take(
        self: &Rc<Self>,
        colo: usize,
        who: Who,
        number: u64,
        request: &Request,
        origin: &dyn Fn() -> Rc<dyn Origin>,
    ) -> Option<Reply<Served>> {
        let front = self.environment.faults().front;
        let is_there = match who {
            Who::Client(_) => front.is_in_front(),
            Who::Gateway(_) => front.is_between(),
        };
        let mut asked = Asked::of(request).filter(|_| is_there)?;
        let origin = origin();
        asked.shown = origin.shown(&asked.url);
        let asking = asked.asking(&self.environment, colo, number, who);
        let key = asking.key.clone();
        let (node, arrival) = self.with(|machine| {
            let node = if let Machine::Zone(zone) = machine { zone.node(&asking) } else { 0 };
            (node, machine.front().arrive(self.now_us(), asking))
        });
        let (answer, coming) = reply();
        let (place, came_ms) = (Place { colo, node, key }, self.environment.now_ms());
        let (has_waited, has_fetch) = <_>::default();
        let visitor = Visitor { place, asked, origin, answer, came_ms, has_waited, has_fetch };
        self.visitors.borrow_mut().insert(number, visitor);
        match arrival {
            Arrival::Serve { served, refresh } => {
                if let Some(fetch) = refresh {
                    self.refresh(number, fetch);
                }
                self.settle(vec![(number, Verdict::Serve(served))]);
            }
            Arrival::Fetch(fetch) => self.settle(vec![(number, Verdict::Fetch(fetch))]),
            Arrival::Wait { until_us } => self.settle(vec![(number, Verdict::Wait { until_us })]),
        }
        Some(coming)
    }

    /// The client of a request has gone, and its gateway may never notice: it may have waited here for nothing.
    pub(in crate::world) fn client_gone(&self, number: u64) {
        if let Some(visitor) = self.visitors.borrow().get(&number) {
            self.harm_if_kept_waiting(number, visitor);
        }
    }

    /// Who has asked goes away before it has its answer. A cache notices that its connection is closed: at once, if that
    /// was a gateway's, on the same machine.
    pub(in crate::world) fn lose_client(self: &Rc<Self>, number: u64) {
        let front = self.clone();
        let environment = &self.environment;
        let faults = environment.faults();
        let noticed_ms =
            if faults.front.is_between() { 0 } else { environment.draw_ms(faults.network.client_link.latency) };
        environment.node.spawn(async move {
            rt::sleep_ms(noticed_ms).await;
            let Some(visitor) = front.visitors.borrow_mut().remove(&number) else { return };
            front.environment.mark(marks::FRONT_VISITOR_LEFT);
            front.harm_if_kept_waiting(number, &visitor);
            front.note(&visitor.place, number, &visitor.asked, FrontVisited::Left);
            let now_us = front.now_us();
            let Some(abandoned) = front.with(|machine| machine.front().left(now_us, number)) else { return };
            let end = abandoned.fetch.and_then(|fetch| front.ends.borrow_mut().remove(&fetch));
            if let Some(end) = end {
                front.note_over(number);
                front.note_given_up(number);
                end.leave();
            }
            front.settle(abandoned.others);
        });
    }

    /// Carries out what has become of visitors.
    fn settle(self: &Rc<Self>, verdicts: Vec<(u64, Verdict<Kept>)>) {
        for (number, verdict) in verdicts {
            match verdict {
                Verdict::Serve(served) => self.serve(number, served),
                Verdict::Fetch(fetch) => self.fetch_for(number, fetch),
                Verdict::Wait { until_us } => self.wait(number, until_us),
                Verdict::Failed => {
                    self.environment.mark(marks::FRONT_FETCH_LOST);
                    if let Some(visitor) = self.visitors.borrow_mut().remove(&number) {
                        self.note(&visitor.place, number, &visitor.asked, FrontVisited::Failed);
                    }
                }
            }
        }
    }

    fn serve(&self, number: u64, served: crate::front::Served<Kept>) {
        let Some(visitor) = self.visitors.borrow_mut().remove(&number) else { return };
        let Visitor { place, asked, answer, origin, .. } = visitor;
        let (by, upper) = (served.by, served.tier == Tier::Upper);
        if upper {
            self.environment.mark(marks::FRONT_TIER_HIT);
        }
        let (what, mark) = match served.how {
            How::Hit => (FrontVisited::Hit { by, upper }, Some(marks::FRONT_HIT)),
            How::Joined => (FrontVisited::Joined { by, upper }, Some(marks::FRONT_JOINED)),
            How::Stale => (FrontVisited::Stale { by, upper }, Some(marks::FRONT_STALE_SERVED)),
            How::Revalidated => (FrontVisited::Revalidated { by }, Some(marks::FRONT_REVALIDATED)),
            How::Fetched => (FrontVisited::Fetched, None),
            How::Passed => (FrontVisited::Passed, None),
        };
        if let Some(mark) = mark {
            self.environment.mark(mark);
        }
        if served.how == How::Hit && self.environment.faults().front.is_between() {
            self.environment.mark(marks::INNER_ENTRYPOINT_SPARED);
        }
        if by != number {
            self.environment.share_weakness(by, number);
        }
        if what != FrontVisited::Passed {
            self.environment.trace.watch().look("key of a cache in front", &asked.url);
        }
        self.note(&place, number, &asked, what);
        if matches!(served.how, How::Hit | How::Stale | How::Joined) {
            self.meter_hit(origin.cause(&asked.url));
        }
        let response = match served.how {
            How::Passed | How::Fetched => not_modified((*served.answer.response).clone(), asked.if_none_match()),
            _ => told(&served, asked.if_none_match()),
        };
        let shared = served.answer.body.filter(|_| response.status != 304);
        let body = shared.and_then(|shared| match served.how {
            How::Passed => shared.take_origin(),
            _ => {
                self.environment.mark(marks::FRONT_STREAMED);
                Some(shared.read(number))
            }
        });
        answer.send(Served { response, body });
    }

    /// A request was served without one of its own to an isolate.
    fn meter_hit(&self, cause: Cause) {
        if self.environment.faults().front.zone {
            self.environment.meter(cause, Meter::ZoneHits, 1);
        } else {
            // What Workers Cache answers is a request of the Worker.
            self.environment.meter(cause, Meter::WorkerRequests, 1);
            self.environment.meter(cause, Meter::WorkersCacheHits, 1);
        }
    }

    fn wait(self: &Rc<Self>, number: u64, until_us: u64) {
        let waits = |visitor: &mut Visitor| {
            visitor.has_waited = true;
            visitor.place.key.clone()
        };
        let Some(key) = self.visitors.borrow_mut().get_mut(&number).map(waits) else { return };
        if let Some(leader) = self.leaders.borrow().get(&key) {
            self.environment.join_flight(*leader, number);
        }
        let front = self.clone();
        let wait_ms = until_us.div_ceil(1_000).saturating_sub(self.environment.now_ms());
        self.environment.node.spawn(async move {
            rt::sleep_ms(wait_ms).await;
            let now_us = front.now_us();
            let is_there = front.visitors.borrow().contains_key(&number);
            let verdicts = front.with(|machine| machine.front().wait_over(now_us, number));
            let is_over =
                verdicts.iter().any(|(who, verdict)| *who == number && !matches!(verdict, Verdict::Wait { .. }));
            if is_over && is_there {
                front.environment.mark(marks::FRONT_LOCK_WAIT_OVER);
                front.note_of(number, FrontVisited::WaitOver);
            }
            front.settle(verdicts);
        });
    }

    /// Nothing was fetched for a visitor for long: it has waited for another's answer.
    fn harm_if_kept_waiting(&self, number: u64, visitor: &Visitor) {
        if !visitor.has_fetch.get() && self.environment.now_ms() >= visitor.came_ms + SLOW_MS {
            self.environment.harm(Harm::WaitedInFront, Some(number));
        }
    }

    /// A visitor's own fetch: its request goes on.
    fn fetch_for(self: &Rc<Self>, number: u64, fetch: Fetch) {
        let visitors = self.visitors.borrow();
        let Some(visitor) = visitors.get(&number) else { return };
        self.harm_if_kept_waiting(number, visitor);
        visitor.has_fetch.set(true);
        let Visitor { place, asked, origin, has_waited, .. } = visitor;
        let why = match &fetch {
            Fetch { passes: true, .. } => FetchedFor::Uncacheable,
            Fetch { tag: Some(_), .. } => FetchedFor::Freshness,
            _ if *has_waited => FetchedFor::Waiter,
            Fetch { holds_lock: false, .. } => FetchedFor::Loner,
            _ => FetchedFor::Miss,
        };
        self.note_fetch(number, number, place, why);
        if fetch.passes {
            self.environment.mark(marks::FRONT_PREDICTED_UNCACHEABLE);
        }
        if fetch.holds_lock {
            self.leaders.borrow_mut().insert(place.key.clone(), number);
            // Those who wait for the key now wait for this one.
            for (other, _) in visitors.iter().filter(|(other, waits)| **other != number && waits.place.key == place.key)
            {
                self.environment.join_flight(number, *other);
            }
        }
        let (asked, origin) = (asked.clone(), origin.clone());
        drop(visitors);
        self.carry(number, fetch, &asked, origin);
    }

    /// A fetch of the cache's own, which freshens what that visitor is served stale.
    fn refresh(self: &Rc<Self>, visitor: u64, fetch: Fetch) {
        let visitors = self.visitors.borrow();
        let Some(Visitor { place, asked, origin, .. }) = visitors.get(&visitor) else { return };
        let (number, asked, origin) = (origin.number(), asked.clone(), origin.clone());
        self.note_fetch(number, visitor, place, FetchedFor::Freshness);
        drop(visitors);
        self.carry(number, fetch, &asked, origin);
    }

    fn carry(self: &Rc<Self>, number: u64, fetch: Fetch, asked: &Asked, origin: Rc<dyn Origin>) {
        let (front, request) = (self.clone(), asked.request(&fetch));
        let environment = self.environment.clone();
        environment.clone().node.spawn(async move {
            if let Some(after_ms) = environment.faults().front.origin().draw(&environment.random) {
                environment.mark(marks::FRONT_ORIGIN_UNRESOLVED);
                environment.harm(Harm::OriginUnresolved, Some(number));
                rt::sleep_ms(after_ms).await;
                front.note_over(number);
                return front.report(fetch.number, Err(Failed));
            }
            let (served, end) = origin.serve(number, request);
            front.ends.borrow_mut().insert(fetch.number, end);
            let served = served.await;
            // Whoever has given the fetch up has removed its end.
            if front.ends.borrow_mut().remove(&fetch.number).is_none() {
                return;
            }
            let Some(Served { response, body }) = served else {
                front.note_over(number);
                return front.lose(fetch.number);
            };
            front.note_end(number);
            let head = cache_head(&response);
            let response = Rc::new(response);
            let Some(body) = body else {
                front.note_over(number);
                return front.report(fetch.number, Ok((head, Kept { response, body: None }, number)));
            };
            let shared = SharedBody::new(environment, number, body);
            let kept = Kept { response, body: Some(shared.clone()) };
            let now_us = front.now_us();
            let verdicts = front.with(|machine| machine.front().began(now_us, fetch.number, head, kept, number));
            front.settle(verdicts);
            // Nobody but the visitor itself may have it.
            if Rc::strong_count(&shared) == 1 {
                return front.note_over(number);
            }
            let end = if shared.pump().await { Ok(()) } else { Err(Failed) };
            front.note_over(number);
            let now_us = front.now_us();
            let verdicts = front.with(|machine| machine.front().ended(now_us, fetch.number, end));
            front.settle(verdicts);
        });
    }

    /// The isolate that a fetch has asked gives no answer.
    fn lose(self: &Rc<Self>, fetch: u64) {
        let now_us = self.now_us();
        let verdicts = self.with(|machine| machine.front().fetched(now_us, fetch, Err(Failed)));
        if self.environment.faults().front.is_between() {
            let failed = verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Failed));
            failed.for_each(|(number, _)| self.environment.harm(Harm::InnerLost, Some(*number)));
        }
        self.settle(verdicts);
    }

    fn report(self: &Rc<Self>, fetch: u64, outcome: crate::front::Outcome<Kept>) {
        let now_us = self.now_us();
        let verdicts = self.with(|machine| machine.front().fetched(now_us, fetch, outcome));
        self.settle(verdicts);
    }

    fn with<T>(&self, act: impl FnOnce(&mut Machine) -> T) -> T {
        let make = || {
            let (faults, bug) = (self.environment.faults().front, self.environment.front_bug.get());
            match faults.zone {
                true => Machine::Zone(Box::new(Zone::new(faults.for_zone(), bug))),
                false => Machine::Workers(Box::new(WorkersCache::new(faults.for_workers_cache(), bug))),
            }
        };
        act(self.machine.borrow_mut().get_or_insert_with(make))
    }

    fn now_us(&self) -> u64 {
        self.environment.now_ms() * 1_000
    }

    fn note_fetch(&self, request: u64, asks: u64, place: &Place, why: FetchedFor) {
        let faults = self.environment.faults().front;
        // Where there is an upper tier, all fetches are its own.
        let has_upper = faults.tiered || !faults.zone;
        let cache = if has_upper { UPPER_TIER.to_owned() } else { format!("{}/{}", place.colo, place.node) };
        let key = match &place.key {
            Key::Url(url) => url.as_str().into(),
            Key::Worker(key) => format!("{:?} {}", key.version, key.path_and_query).into(),
        };
        let (place, from_ms) = ((cache.into(), key), self.environment.now_ms());
        self.fetches.borrow_mut().push(FrontFetch {
            request,
            asks,
            place,
            from_ms,
            to_ms: None,
            over_ms: None,
            is_given_up: false,
            why,
        });
    }

    /// The answer to the last request of that number to an isolate has come, or its head.
    fn note_end(&self, request: u64) {
        let now_ms = self.environment.now_ms();
        let mut fetches = self.fetches.borrow_mut();
        if let Some(fetch) = fetches.iter_mut().rev().find(|fetch| fetch.request == request) {
            fetch.to_ms = Some(now_ms);
        }
    }

    /// Nothing more comes of the last request of that number.
    fn note_over(&self, request: u64) {
        let now_ms = self.environment.now_ms();
        if let Some(fetch) = self.fetches.borrow_mut().iter_mut().rev().find(|fetch| fetch.request == request) {
            fetch.over_ms = Some(now_ms);
        }
    }

    /// The last request of that number was given up.
    fn note_given_up(&self, request: u64) {
        if let Some(fetch) = self.fetches.borrow_mut().iter_mut().rev().find(|fetch| fetch.request == request) {
            fetch.is_given_up = true;
        }
    }

    fn note_of(&self, number: u64, what: FrontVisited) {
        if let Some(visitor) = self.visitors.borrow().get(&number) {
            self.note(&visitor.place, number, &visitor.asked, what);
        }
    }

    fn note(&self, place: &Place, request: u64, asked: &Asked, what: FrontVisited) {
        let Place { colo, node, .. } = *place;
        self.environment.note(Lane::Front, What::FrontVisited { key: &asked.shown, visited: what }, Some(request));
        let ms = self.environment.now_ms();
        self.visits.borrow_mut().push(FrontVisit { ms, colo, node, request, key: asked.url.as_str().into(), what });
    }
}
