//! What identical requests of one isolate share: one flight for all that wait for the same answer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use tailrace_core::runtime::{CallError, Landing, Shared};

use crate::kernel::reply::{Reply, ReplySender, reply};
use crate::kernel::rt::Node;

/// The flights of one isolate, each with those that wait for it.
#[derive(Default)]
pub(crate) struct Flights(RefCell<BTreeMap<String, Vec<ReplySender<Landing>>>>);

impl Flights {
    /// Takes part in the flight of that key, which is `flight`, run on `node`, where there is none.
    pub(crate) async fn share<F>(self: &Rc<Self>, node: &Node, key: String, flight: F) -> Shared
    where
        F: Future<Output = Landing> + 'static,
    {
        let (joined, landing) = self.board(&key);
        if !joined {
            let flights = self.clone();
            node.spawn(async move {
                let landing = flight.await;
                for passenger in flights.0.borrow_mut().remove(&key).unwrap_or_default() {
                    passenger.send(landing.clone());
                }
            });
        }
        Shared { landing: landing.await.unwrap_or(Err(CallError::Reset)), joined }
    }

    /// Forgets all: their isolate has gone.
    pub(crate) fn clear(&self) {
        self.0.take();
    }

    fn board(&self, key: &str) -> (bool, Reply<Landing>) {
        let (sender, landing) = reply();
        let mut flights = self.0.borrow_mut();
        match flights.get_mut(key) {
            Some(passengers) => {
                passengers.push(sender);
                (true, landing)
            }
            None => {
                flights.insert(key.to_owned(), vec![sender]);
                (false, landing)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::{join, join3};
    use tailrace_core::runtime::Response;

    use super::*;
    use crate::kernel::rt;

    #[test]
    fn whoever_asks_while_a_flight_is_under_way_shares_it_and_nobody_else() {
        rt::block_on(1, async {
            let (flights, node, flown) = (Rc::new(Flights::default()), Node::new(), Rc::new(Cell::new(0)));
            let share = async |key: &str| {
                let flown = flown.clone();
                let flight = async move {
                    rt::sleep_ms(20).await;
                    flown.set(flown.get() + 1);
                    Ok(Response::new(200 + flown.get()))
                };
                let shared = flights.share(&node, key.to_owned(), flight).await;
                (shared.landing.unwrap().status, shared.joined)
            };
            let (one, two, other) = join3(share("a"), share("a"), share("b")).await;
            let mut statuses = [one.0, two.0, other.0];
            statuses.sort_unstable();
            assert_eq!((one.0, one.1 || two.1, other.1), (two.0, true, false));
            assert_eq!(flown.get(), 2, "{statuses:?}");
            assert_eq!(share("a").await, (203, false));
        });
    }

    #[test]
    fn a_flight_outlives_the_request_that_brought_it_and_ends_with_its_isolate() {
        rt::block_on(1, async {
            let (flights, node) = (Rc::new(Flights::default()), Node::new());
            let flight = || async {
                rt::sleep_ms(50).await;
                Ok(Response::new(200))
            };
            let owner = rt::within_ms(10, flights.share(&node, "a".to_owned(), flight()));
            let joiner = async {
                rt::sleep_ms(5).await;
                flights.share(&node, "a".to_owned(), flight()).await
            };
            let (owner, joiner) = join(owner, joiner).await;
            assert_eq!((owner, joiner), (None, Shared { landing: Ok(Response::new(200)), joined: true }));

            let end = async {
                rt::sleep_ms(10).await;
                node.kill();
                flights.clear();
            };
            let (shared, ()) = join(flights.share(&node, "a".to_owned(), flight()), end).await;
            assert_eq!(shared, Shared { landing: Err(CallError::Reset), joined: false });
        });
    }
}
