//! Flights. A flight is the work of one request for an answer that identical requests of its isolate share. The first
//! request starts the flight and does the work; the others join it and wait. The flight lands when its answer is handed
//! to those who have joined.
//!
//! The map of flights belongs to the isolate and holds them weakly: a flight is gone once no request takes part in it,
//! or later: where requests end without a word, what they leave is garbage, which the platform collects when it likes.
//! Its answer is a kept answer, which is plain data and may cross from one request to another.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

use tailrace_core::runtime::{JoinedFlight, Landing, Sharing, StartedFlight};

use crate::kernel::reply::{Reply, ReplySender, reply};
use crate::kernel::rt;
use crate::world::edge::context::Context;
use crate::world::edge::reply::KeptAnswer;
use crate::world::marks;

/// Entries of flights that are gone are removed once an isolate's map has this many entries.
const PRUNE_AT: usize = 64;

/// A flight under way.
struct Flight {
    /// The number of the request that flies it.
    flyer: u64,
    /// When it was started, in ms since the Unix epoch.
    began_ms: u64,
    /// What has been noted for those who join it.
    noted: Cell<Option<u64>>,
    /// Its answer, once it has landed, and the number of the request that flew it.
    landed: RefCell<Option<(u64, KeptAnswer, u64)>>,
    /// Where to send its answer, for each request that waits for it, with the request's number.
    passengers: RefCell<Vec<(u64, ReplySender<Landing<KeptAnswer>>)>>,
}

/// The most flights that nobody takes part in and that are not collected yet.
const UNCOLLECTED: usize = 16;

/// The flights of one isolate, by key.
#[derive(Default)]
pub(crate) struct Flights {
    by_key: RefCell<BTreeMap<String, Weak<Flight>>>,
    /// Flights that are there whether or not anybody takes part in them, the oldest first.
    uncollected: RefCell<VecDeque<Rc<Flight>>>,
}

/// One request's part in a flight, whether it has started the flight or has joined it. It keeps the flight alive.
pub struct Seat {
    context: Rc<Context>,
    flights: Rc<Flights>,
    key: String,
    flight: Rc<Flight>,
    /// Whether the request has been told what is noted.
    is_told: Cell<bool>,
}

impl Flights {
    /// Joins the flight of that key, or starts one.
    pub(crate) fn share(self: &Rc<Self>, context: Rc<Context>, key: &str) -> Sharing<Seat, Seat> {
        let now_ms = context.environment().now_ms();
        let under_way = self.by_key.borrow().get(key).and_then(Weak::upgrade);
        let age_ms = under_way.as_ref().map(|flight| now_ms - flight.began_ms);
        let flight = under_way.unwrap_or_else(|| {
            Rc::new(Flight {
                flyer: context.number(),
                began_ms: now_ms,
                noted: Cell::default(),
                landed: RefCell::default(),
                passengers: RefCell::default(),
            })
        });
        let (flights, is_told) = (self.clone(), Cell::default());
        let seat = Seat { context, flights, key: key.to_owned(), flight, is_told };
        if let Some(age_ms) = age_ms {
            seat.context.environment().join_flight(seat.flight.flyer, seat.context.number());
            return Sharing::Joined { flight: seat, age_ms };
        }
        let mut flights = self.by_key.borrow_mut();
        if flights.len() >= PRUNE_AT && flights.len().is_power_of_two() {
            flights.retain(|_, flight| flight.strong_count() > 0);
        }
        flights.insert(key.to_owned(), Rc::downgrade(&seat.flight));
        drop(flights);
        let environment = seat.context.environment();
        if environment.faults().edge.request_vanished_permille > 0 && environment.random.between(0, 1) == 0 {
            let mut uncollected = self.uncollected.borrow_mut();
            uncollected.push_back(seat.flight.clone());
            if uncollected.len() > UNCOLLECTED {
                uncollected.pop_front();
            }
        }
        Sharing::Started(seat)
    }

    /// Forgets all flights: their isolate has restarted.
    pub(crate) fn clear(&self) {
        self.by_key.take();
        self.uncollected.take();
    }
}

impl Seat {
    /// From here on nobody joins the flight; the next identical request starts another one.
    fn forget(&self) {
        self.flights.uncollected.borrow_mut().retain(|flight| !Rc::ptr_eq(flight, &self.flight));
        let mut flights = self.flights.by_key.borrow_mut();
        if flights.get(&self.key).is_some_and(|flight| flight.as_ptr() == Rc::as_ptr(&self.flight)) {
            flights.remove(&self.key);
        }
    }

    fn board(&self) -> Reply<Landing<KeptAnswer>> {
        let (sender, landing) = reply();
        self.flight.passengers.borrow_mut().push((self.context.number(), sender));
        landing
    }
}

impl StartedFlight<KeptAnswer> for Seat {
    fn note(&self, until_ms: u64) {
        if self.context.admits() && self.flight.noted.replace(Some(until_ms)).is_none() {
            for (_, passenger) in self.flight.passengers.take() {
                passenger.send(Landing::Noted(until_ms));
            }
        }
    }

    fn land(self, brought: &KeptAnswer, age_s: u64) {
        if !self.context.admits() {
            return;
        }
        let environment = self.context.environment();
        if environment.chance(environment.faults().edge.flight_lost_permille) {
            // Nobody is told. The flight stays in the map as long as somebody waits for it.
            environment.mark(marks::FLIGHT_LOST);
            environment.lose_flight(self.context.number());
            return;
        }
        self.forget();
        self.flight.landed.replace(Some((self.context.number(), brought.clone(), age_s)));
        for (number, passenger) in self.flight.passengers.take() {
            environment.share_harms(self.context.number(), number);
            passenger.send(Landing::Landed { kept: brought.clone(), age_s });
        }
    }
}

impl JoinedFlight<KeptAnswer> for Seat {
    async fn landing(&self, wait_ms: u64) -> Landing<KeptAnswer> {
        let landing = self.board();
        let wait = async {
            if let Some(until_ms) = self.flight.noted.get()
                && !self.is_told.replace(true)
            {
                return Landing::Noted(until_ms);
            }
            // It may have landed since this request was told what was noted.
            if let Some((flyer, kept, age_s)) = &*self.flight.landed.borrow() {
                self.context.environment().share_harms(*flyer, self.context.number());
                return Landing::Landed { kept: kept.clone(), age_s: *age_s };
            }
            match rt::within_ms(wait_ms, landing).await {
                Some(Some(landing)) => {
                    self.is_told.set(self.is_told.get() || matches!(landing, Landing::Noted(_)));
                    landing
                }
                Some(None) => std::future::pending().await,
                None => Landing::TimedOut,
            }
        };
        self.context.guard(wait).await.unwrap_or(Landing::TimedOut)
    }

    fn give_up(self) {
        if self.context.admits() {
            self.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::{join, join3};
    use tailrace_core::protocol::Response;
    use tailrace_core::runtime::Kept;

    use super::*;
    use crate::kernel::random::Seeds;
    use crate::world::environment::Environment;
    use crate::world::faults::Faults;
    use crate::world::memory::Meter;

    /// What the flight brings within that time, whatever is noted meanwhile.
    async fn landed(seat: &Seat, wait_ms: u64) -> Option<KeptAnswer> {
        loop {
            match seat.landing(wait_ms).await {
                Landing::Landed { kept, .. } => return Some(kept),
                Landing::Noted(_) => {}
                Landing::TimedOut => return None,
            }
        }
    }

    struct Isolate {
        environment: Rc<Environment>,
        flights: Rc<Flights>,
        flown: Cell<u16>,
    }

    impl Isolate {
        fn new(faults: Faults) -> Self {
            let environment = Rc::new(Environment::new(faults, Seeds::of(1), None));
            Self { environment, flights: Rc::default(), flown: Cell::default() }
        }

        /// Takes part in a flight of 20 ms: the status of its answer, if that comes within 50 ms, and whether it
        /// joined.
        async fn share(&self, key: &str) -> (Option<u16>, bool) {
            let context = Context::new(self.environment.clone(), Meter::default(), 1);
            match self.flights.share(context.clone(), key) {
                Sharing::Started(seat) => {
                    rt::sleep_ms(20).await;
                    self.flown.set(self.flown.get() + 1);
                    let kept = KeptAnswer::new(&context, Response::new(200 + self.flown.get()));
                    seat.land(&kept, 0);
                    (Some(kept.status()), false)
                }
                Sharing::Joined { flight: seat, .. } => (landed(&seat, 50).await.map(|kept| kept.status()), true),
            }
        }
    }

    #[test]
    fn requests_of_one_key_share_a_flight_while_it_is_under_way_and_others_do_not() {
        rt::block_on(1, async {
            let isolate = Isolate::new(Faults::default());
            let told = join3(isolate.share("a"), isolate.share("a"), isolate.share("b")).await;
            assert_eq!(told, ((Some(201), false), (Some(201), true), (Some(202), false)));
            assert_eq!(isolate.share("a").await, (Some(203), false));
        });
    }

    #[test]
    fn a_flight_whose_request_was_ended_never_lands_and_is_joined_until_it_is_given_up() {
        rt::block_on(1, async {
            let isolate = Isolate::new(Faults::default());
            let context = || Context::new(isolate.environment.clone(), Meter::default(), 1);
            let Sharing::Started(lost) = isolate.flights.share(context(), "a") else { panic!("it is the first") };
            let Sharing::Joined { flight: joined, age_ms: 0 } = isolate.flights.share(context(), "a") else {
                panic!("it is not")
            };
            drop(lost);
            assert_eq!(landed(&joined, 100).await, None);
            assert_eq!(rt::now_ns() / 1_000_000, 100);
            assert!(matches!(isolate.flights.share(context(), "a"), Sharing::Joined { age_ms: 100, .. }));
            joined.give_up();
            assert_eq!(isolate.share("a").await, (Some(201), false));
        });
    }

    #[test]
    fn what_is_noted_is_told_to_who_waits_at_the_first_time_and_to_who_joins_later() {
        rt::block_on(1, async {
            let isolate = Isolate::new(Faults::default());
            let share = || isolate.flights.share(Context::new(isolate.environment.clone(), Meter::default(), 1), "a");
            let Sharing::Started(flight) = share() else { panic!("it is the first") };
            let Sharing::Joined { flight: joined, .. } = share() else { panic!("it is not") };
            let (told, ()) = join(joined.landing(50), async { flight.note(7) }).await;
            assert_eq!(told, Landing::Noted(7));
            let (told, ()) = join(joined.landing(50), async { flight.note(9) }).await;
            assert_eq!(told, Landing::TimedOut);
            let Sharing::Joined { flight: late, .. } = share() else { panic!("it is under way") };
            assert_eq!(late.landing(50).await, Landing::Noted(9));
            assert_eq!(late.landing(50).await, Landing::TimedOut);
            let context = Context::new(isolate.environment.clone(), Meter::default(), 1);
            flight.land(&KeptAnswer::new(&context, Response::new(204)), 0);
            assert_eq!(landed(&joined, 50).await.map(|kept| kept.status()), Some(204));
        });
    }

    #[test]
    fn a_flight_that_nobody_takes_part_in_any_more_is_gone() {
        rt::block_on(1, async {
            let isolate = Isolate::new(Faults::default());
            drop(isolate.flights.share(Context::new(isolate.environment.clone(), Meter::default(), 1), "a"));
            assert_eq!(isolate.share("a").await, (Some(201), false));
        });
    }

    #[test]
    fn where_requests_vanish_a_flight_that_nobody_takes_part_in_may_be_there_for_a_while() {
        rt::block_on(1, async {
            let faults = Faults::default().with(|faults| faults.edge.request_vanished_permille = 1);
            let (isolate, mut joined) = (Isolate::new(faults), 0);
            for number in 0..100 {
                let key = number.to_string();
                drop(isolate.flights.share(Context::new(isolate.environment.clone(), Meter::default(), 1), &key));
                rt::sleep_ms(7).await;
                if let Sharing::Joined { flight, age_ms } =
                    isolate.flights.share(Context::new(isolate.environment.clone(), Meter::default(), 2), &key)
                {
                    assert_eq!(age_ms, 7);
                    flight.give_up();
                    joined += 1;
                }
            }
            assert!((20..=80).contains(&joined), "{joined} of 100");
        });
    }

    #[test]
    fn flights_are_lost_never_sometimes_or_always() {
        for (permille, expected) in [(0, 0..=0), (400, 10..=90), (1000, 100..=100)] {
            rt::block_on(1, async move {
                let isolate =
                    Isolate::new(Faults::default().with(|faults| faults.edge.flight_lost_permille = permille));
                let mut lost = 0;
                for number in 0..100 {
                    let key = number.to_string();
                    let (_, joined, _) = join3(isolate.share(&key), isolate.share(&key), async {}).await;
                    assert!(joined.1);
                    lost += u32::from(joined.0.is_none());
                }
                assert!(expected.contains(&lost), "{lost} of 100 at {permille} permille");
            });
        }
    }
}
