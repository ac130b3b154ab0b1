//! Messages on their way: latency, loss, long delays, and overtaking by latency that varies.

use std::rc::Rc;

use tailrace_core::protocol::Address;
use tailrace_core::runtime::{CallError, ObjectRequest};

use crate::kernel::reply::reply;
use crate::kernel::rt;
use crate::world::environment::Environment;
use crate::world::harm::Harm;
use crate::world::marks;
use crate::world::network::Link;
use crate::world::network::callee::{Callee, Caller, Opened};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    Request,
    Response,
}

/// A kind of way that messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Between a client and an isolate.
    Client,
    /// Between an isolate or an object, and an object, in the datacenters of these indices.
    Object { from: usize, to: usize },
}

impl Way {
    fn link(self, environment: &Environment) -> Link {
        let network = environment.faults().network;
        match self {
            Self::Client => network.client_link,
            Self::Object { .. } => network.object_link,
        }
    }

    /// Whether it leads from one datacenter to another.
    fn is_long(self) -> bool {
        matches!(self, Self::Object { from, to } if from != to)
    }

    /// Whether nothing passes on it now, because one of its ends is cut off.
    fn is_cut_off(self, environment: &Environment) -> bool {
        matches!(self, Self::Object { from, to } if environment.are_apart(from, to))
    }

    /// How much longer a message is on its way because its ends are in different datacenters, in ms.
    fn distance_ms(self, environment: &Environment) -> u64 {
        match self {
            Self::Client => 0,
            Self::Object { from, to } => environment.distance_ms(from, to),
        }
    }

    /// How a request is harmed by a message that is lost, and by one that takes long.
    fn harms(self) -> (Harm, Harm) {
        match self {
            Self::Client => (Harm::ClientMessageLost, Harm::ClientMessageSlow),
            Self::Object { .. } => (Harm::CallLost, Harm::CallSlow),
        }
    }
}

/// Waits for as long as a message travels. Returns whether it arrives.
pub(crate) async fn travel(environment: &Environment, way: Way, leg: Leg, cause: Option<u64>) -> bool {
    let (link, (lost, slow)) = (way.link(environment), way.harms());
    let (permille, mark) = match leg {
        Leg::Request => (link.request_loss_permille, marks::REQUEST_LOST),
        Leg::Response => (link.response_loss_permille, marks::RESPONSE_LOST),
    };
    let is_cut_off = way.is_cut_off(environment);
    if is_cut_off {
        environment.mark(marks::LOST_BETWEEN_COLOS);
    }
    let is_lost = environment.chance(permille) || is_cut_off;
    let latency_ms = latency_ms(environment, link) + way.distance_ms(environment);
    if is_lost {
        environment.harm(lost, cause);
    }
    if latency_ms >= SLOW_MS {
        environment.harm(slow, cause);
    }
    rt::sleep_ms(latency_ms).await;
    if is_lost {
        environment.mark(mark);
    }
    !is_lost
}

/// A message that is on its way for as long as this may cost its request its answer, in ms.
pub(crate) const SLOW_MS: u64 = 1_000;

/// How long a message is on its way within a datacenter, in ms.
pub(crate) fn latency_ms(environment: &Environment, link: Link) -> u64 {
    let latency_ms = environment.draw_ms(link.latency);
    if !environment.chance(link.slow_permille) {
        return latency_ms;
    }
    environment.mark(marks::MESSAGE_SLOW);
    latency_ms + environment.draw_ms(link.slow)
}

/// Calls an object over the network between isolates and objects. `accept` takes its answer when that leaves the object.
/// The request and the answer arrive even if the caller is gone by then.
pub(crate) async fn call<T: 'static>(
    environment: &Rc<Environment>,
    callee: Rc<dyn Callee>,
    object: Address<'_>,
    request: ObjectRequest,
    caller: Caller,
    accept: impl FnOnce(Opened) -> T + 'static,
) -> Result<T, CallError> {
    let watch = environment.trace.watch();
    let label = object.to_string();
    watch.look("name of an object", &label);
    watch.look("message to an object", &request.message);
    let (sender, answer) = reply();
    let cause = caller.cause;
    let way = Way::Object { from: caller.colo, to: environment.colo_of(&label, caller.colo) };
    if way.is_long() {
        environment.mark(marks::OTHER_COLO_CALLED);
    }
    let journey = {
        let environment = environment.clone();
        let (class, name) = (object.class, object.name.to_owned());
        async move {
            if !travel(&environment, way, Leg::Request, cause).await {
                return;
            }
            let faults = environment.faults();
            let answered = if environment.chance(faults.objects.overloaded_permille) {
                environment.mark(marks::OBJECT_OVERLOADED);
                environment.harm(Harm::Overloaded, cause);
                Some(Opened::Overloaded)
            } else {
                callee.call(Address { class, name: &name }, request, caller).await
            };
            let Some(answer) = answered.map(accept) else { return environment.harm(Harm::ObjectReset, cause) };
            if environment.chance(faults.network.call_stuck_permille) {
                environment.mark(marks::CALL_STUCK);
                environment.harm(Harm::CallStuck, cause);
                return sender.vanish();
            }
            if travel(&environment, way, Leg::Response, cause).await {
                sender.send(answer);
            }
        }
    };
    environment.node.spawn(journey);
    answer.await.ok_or(CallError::Reset)
}
