//! Messages on their way: latency, loss, and overtaking by latency that varies.

use std::rc::Rc;

use tailrace_core::runtime::{CallError, ObjectRequest};

use crate::kernel::reply::reply;
use crate::kernel::rt;
use crate::world::environment::Environment;
use crate::world::marks;
use crate::world::network::Link;
use crate::world::network::callee::{Callee, Opened};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    Request,
    Response,
}

/// Waits for as long as a message travels. Returns whether it arrives.
pub(crate) async fn travel(environment: &Environment, link: Link, leg: Leg) -> bool {
    let (permille, mark) = match leg {
        Leg::Request => (link.request_loss_permille, marks::REQUEST_LOST),
        Leg::Response => (link.response_loss_permille, marks::RESPONSE_LOST),
    };
    let lost = environment.chance(permille);
    rt::sleep_ms(environment.draw_ms(link.latency)).await;
    if lost {
        environment.mark(mark);
    }
    !lost
}

/// Calls an object over the network between isolates and objects. `accept` takes its answer when that leaves the
/// object. The request and the answer arrive even if the caller is gone by then.
pub(crate) async fn call<T: 'static>(
    environment: &Rc<Environment>,
    callee: Rc<dyn Callee>,
    object: &str,
    request: ObjectRequest,
    accept: impl FnOnce(Opened) -> T + 'static,
) -> Result<T, CallError> {
    let (sender, answer) = reply();
    let journey = {
        let environment = environment.clone();
        let object = object.to_owned();
        async move {
            let link = environment.faults().network.object_link;
            if !travel(&environment, link, Leg::Request).await {
                environment.note(format_args!("network: request to {object} lost"));
                return;
            }
            let Some(answer) = callee.call(&object, request).await.map(accept) else { return };
            let link = environment.faults().network.object_link;
            if travel(&environment, link, Leg::Response).await {
                sender.send(answer);
            } else {
                environment.note(format_args!("network: response of {object} lost"));
            }
        }
    };
    environment.node.spawn(journey);
    answer.await.ok_or(CallError::Reset)
}
