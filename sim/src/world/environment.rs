//! What everything in a world shares: its faults, its randomness, its clock, its trace and its marks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use tailrace_core::runtime::Mark;

use crate::bill::{self, Cause, Usage};
use crate::front::FrontBug;
use crate::kernel::marks::Marks;
use crate::kernel::random::{Delay, Random, Seeds};
use crate::kernel::rt::Node;
use crate::kernel::trace::Trace;
use crate::world::charges::{Account, Charges};
use crate::world::clock;
use crate::world::edge::times::Times;
use crate::world::event::{Event, Lane, What};
use crate::world::faults::Faults;
use crate::world::harm::{Harm, Harms};
use crate::world::host_mutant::HostMutant;
use crate::world::map::Region;
use crate::world::map::world_map::WorldMap;
use crate::world::marks;
use crate::world::memory::{Footprint, Meter};
use crate::world::tenants::Tenants;

/// Events after which a run is given up: far above what any world needs. A bug sends it round in circles, without time
/// that passes or with hardly any.
const MOST_EVENTS: u64 = 1_000_000;

/// What everything in a world shares.
pub(crate) struct Environment {
    faults: Cell<Faults>,
    /// The randomness that decides when and where faults happen.
    pub(crate) random: Random,
    /// The randomness that core is given.
    pub(crate) core_random: Random,
    marks: RefCell<Marks>,
    /// What happened.
    pub(crate) trace: Trace,
    harms: RefCell<Harms>,
    /// Who has joined whose flight.
    joined: RefCell<Vec<(u64, u64)>>,
    /// The requests whose flights have landed without a word to those who had joined them.
    lost_flights: RefCell<BTreeSet<u64>>,
    charges: RefCell<Charges>,
    times: RefCell<Times>,
    usage: RefCell<Usage>,
    /// How many requests there were.
    requests: Cell<u64>,
    events: Cell<u64>,
    most_events: Cell<u64>,
    /// Objects that share an instance of core with an isolate.
    pub(crate) tenants: Tenants,
    /// The release of the program that starts now, counted from 0.
    pub(crate) release: Cell<u32>,
    /// The datacenters.
    pub(crate) map: WorldMap,
    /// How many isolates a datacenter has at most.
    pub(crate) isolates: Cell<usize>,
    /// What each isolate has in memory, by its index.
    memory: RefCell<Vec<Meter>>,
    /// The most that an object has pushed within a second.
    pub(crate) pushed: Cell<usize>,
    mutant: Option<HostMutant>,
    /// A known bug of what stands in front of the isolates.
    pub(crate) front_bug: Cell<Option<FrontBug>>,
    /// Runs the tasks of neither isolates nor objects: of networks, and of the platform's own services.
    pub(crate) node: Node,
}

impl Environment {
    pub(crate) fn new(faults: Faults, seeds: Seeds, mutant: Option<HostMutant>) -> Self {
        Self {
            faults: Cell::new(faults),
            random: Random::new(seeds.faults),
            core_random: Random::new(seeds.core),
            marks: RefCell::default(),
            trace: Trace::default(),
            harms: RefCell::default(),
            joined: RefCell::default(),
            lost_flights: RefCell::default(),
            charges: RefCell::default(),
            times: RefCell::default(),
            usage: RefCell::default(),
            requests: Cell::default(),
            events: Cell::default(),
            most_events: Cell::new(MOST_EVENTS),
            tenants: Tenants::default(),
            release: Cell::default(),
            map: WorldMap::of(&[]),
            isolates: Cell::new(1),
            memory: RefCell::default(),
            pushed: Cell::default(),
            mutant,
            front_bug: Cell::default(),
            node: Node::new(),
        }
    }

    /// With a datacenter in each of these regions; with one, if there are none.
    pub(crate) fn with_colos(mut self, regions: &[Region]) -> Self {
        self.map = WorldMap::of(regions);
        self.map.set_clocks(&self.random, self.faults().map.clock_off_ms);
        self
    }

    /// The index of the datacenter in which an object is. One that was never called is placed now, by a caller in the
    /// datacenter of that index.
    pub(crate) fn colo_of(&self, object: &str, caller: usize) -> usize {
        let count = self.map.count();
        if count == 1 {
            return caller;
        }
        self.map.placement.colo_of(object, || {
            if !self.chance(self.faults().map.object_elsewhere_permille) {
                return caller;
            }
            self.mark(marks::OBJECT_PLACED_ELSEWHERE);
            (caller + self.random.between(1, count as u64 - 1) as usize) % count
        })
    }

    /// Whether nothing passes between two datacenters now, by their indices.
    pub(crate) fn are_apart(&self, from: usize, to: usize) -> bool {
        self.map.are_apart(from, to, self.now_ms())
    }

    /// How much longer than within a datacenter a message is on its way between two of them, by their indices, in ms.
    pub(crate) fn distance_ms(&self, from: usize, to: usize) -> u64 {
        self.map.distance_ms(from, to, self.faults().map.distance_permille)
    }

    /// The number of the next request.
    pub(crate) fn number(&self) -> u64 {
        self.requests.set(self.requests.get() + 1);
        self.requests.get()
    }

    pub(crate) fn faults(&self) -> Faults {
        self.faults.get()
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        self.faults.set(faults);
    }

    pub(crate) fn now_ms(&self) -> u64 {
        clock::now_ms()
    }

    /// What the isolate of that index has in memory.
    pub(crate) fn memory(&self, isolate: usize) -> Meter {
        let mut memory = self.memory.borrow_mut();
        while memory.len() <= isolate {
            memory.push(Meter::default());
        }
        memory[isolate].clone()
    }

    /// The most that an isolate had in memory, of each kind.
    pub(crate) fn footprint(&self) -> Footprint {
        let most = Footprint { pushed: self.pushed.get(), ..Footprint::default() };
        self.memory.borrow().iter().fold(most, |most, meter| most.max(meter.most()))
    }

    pub(crate) fn chance(&self, permille: u32) -> bool {
        self.random.chance(permille)
    }

    pub(crate) fn draw_ms(&self, delay: Delay) -> u64 {
        self.random.delay_ms(delay)
    }

    pub(crate) fn mark(&self, mark: Mark) {
        self.marks.borrow_mut().hit(mark.name);
    }

    pub(crate) fn marks(&self) -> Marks {
        self.marks.borrow().clone()
    }

    /// A fault has touched a client's request, if it is one.
    pub(crate) fn harm(&self, harm: Harm, cause: Option<u64>) {
        let Some(request) = cause else { return };
        self.note(Lane::World, What::Harmed { harm }, cause);
        self.harms.borrow_mut().add(request, harm);
    }

    /// A fault has touched an object.
    pub(crate) fn harm_object(&self, harm: Harm, object: &Rc<str>) {
        self.note(Lane::Object(object), What::Harmed { harm }, None);
        self.harms.borrow_mut().to_objects.push((self.now_ms(), object.clone(), harm));
    }

    /// One client's request gets the answer of another one.
    pub(crate) fn share_harms(&self, from: u64, to: u64) {
        self.harms.borrow_mut().share(from, to);
    }

    /// One client's request is answered with what another one has stored: what may be stale in it is stale in both.
    pub(crate) fn share_weakness(&self, from: u64, to: u64) {
        self.harms.borrow_mut().share_only(Harm::Stale, from, to);
    }

    /// One client's request joins the flight of another one, and waits for it.
    pub(crate) fn join_flight(&self, flyer: u64, passenger: u64) {
        self.joined.borrow_mut().push((flyer, passenger));
    }

    /// Nobody is told that the flight of a request has landed.
    pub(crate) fn lose_flight(&self, flyer: u64) {
        self.lost_flights.borrow_mut().insert(flyer);
    }

    /// All harms so far.
    pub(crate) fn harms(&self) -> Harms {
        let mut harms = self.harms.borrow().clone();
        let lost = self.lost_flights.borrow();
        for (flyer, passenger) in self.joined.borrow().iter() {
            if lost.contains(flyer) || self.harms.borrow().to_requests.contains_key(flyer) {
                harms.add(*passenger, Harm::FlightLost);
            }
        }
        harms
    }

    /// An event of an object, and rows that it has written, are billed.
    pub(crate) fn charge(&self, account: &Account, calls: u64, rows: u64) {
        self.charges.borrow_mut().add(account, calls, rows);
    }

    /// An event of an object has set alarms, whose rows are billed.
    pub(crate) fn count_alarms(&self, account: &Account, alarms: u64) {
        if alarms > 0 {
            self.charges.borrow_mut().add_alarms(account, alarms);
        }
    }

    /// The Worker is invoked for a client's request, which is billed.
    pub(crate) fn invoke(&self, request: u64) {
        self.charges.borrow_mut().invoke(request);
    }

    /// A request calls an object now.
    pub(crate) fn note_call(&self, request: u64) {
        self.times.borrow_mut().entry(request).or_default().called_ms = Some(self.now_ms());
    }

    /// The answer to a request leaves the edge now, or its head.
    pub(crate) fn note_answer(&self, request: u64) {
        self.times.borrow_mut().entry(request).or_default().left_ms = Some(self.now_ms());
    }

    /// When requests have called objects, and were answered.
    pub(crate) fn times(&self) -> Times {
        self.times.borrow().clone()
    }

    /// Something that is billed is used.
    pub(crate) fn meter(&self, cause: Cause, meter: bill::Meter, count: u64) {
        if count > 0 {
            self.usage.borrow_mut().add(cause, meter, count);
        }
    }

    /// What has been used so far, beside the time for which objects were active, and what they store.
    pub(crate) fn usage(&self) -> Usage {
        self.usage.borrow().clone()
    }

    /// The alarm of an object is called as it has asked for.
    pub(crate) fn count_asked_alarm(&self, object: &str) {
        self.charges.borrow_mut().ask(object);
    }

    /// A statement of an object has looked at more rows than it may.
    pub(crate) fn count_excess(&self, object: &str, excess: String) {
        self.charges.borrow_mut().excesses.entry(object.into()).or_insert(excess);
    }

    /// All charges so far.
    pub(crate) fn charges(&self) -> Charges {
        self.charges.borrow().clone()
    }

    /// Something happens, for a client's request or not.
    pub(crate) fn note(&self, lane: Lane<'_>, what: What<'_>, cause: Option<u64>) {
        self.events.set(self.events.get() + 1);
        assert!(
            self.events.get() < self.most_events.get(),
            "the world goes round in circles: {}",
            Event { lane, what, cause }
        );
        self.trace.add(&Event { lane, what, cause });
    }

    /// More happens than usually, and is no sign of a world that goes round in circles.
    pub(crate) fn expect_events(&self, most_events: u64) {
        self.most_events.set(most_events);
    }

    pub(crate) fn is_mutated(&self, mutant: HostMutant) -> bool {
        self.mutant == Some(mutant)
    }
}
