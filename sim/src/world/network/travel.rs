//! Messages on their way: latency, loss, and overtaking by latency that varies.

use std::rc::Rc;

use tailrace_core::runtime::{CallError, Connected, ObjectRequest, Response};

use crate::kernel::reply::{Reply, reply};
use crate::kernel::rt;
use crate::world::edge::edge_socket::EdgeEnd;
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

/// Takes the time that a message takes. Whether it arrives.
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

/// Calls an object over the network between isolates and objects. What is on its way arrives even if the caller is gone
/// by then.
pub(crate) async fn call(
    environment: &Rc<Environment>,
    callee: Rc<dyn Callee>,
    object: &str,
    request: ObjectRequest,
) -> Result<Response, CallError> {
    let deliver = move |object: &str, request| callee.deliver(object, request);
    travel_there_and_back(environment, object, request, deliver, |answer| answer).await
}

/// Asks an object for a socket, or for its answer. An upgrade whose answer is lost leaves the object with a socket
/// that nobody listens to.
pub(crate) async fn connect(
    environment: &Rc<Environment>,
    callee: Rc<dyn Callee>,
    object: &str,
    request: ObjectRequest,
) -> Result<Connected<EdgeEnd>, CallError> {
    let accept = {
        let (environment, callee, name) = (environment.clone(), callee.clone(), object.to_owned());
        // From here on the edge's end is somebody's: whoever drops it, closes it.
        move |opened| match opened {
            Opened::Answer(response) => Ok(Connected::Answer(response)),
            Opened::Socket(number, mailbox) => {
                Ok(Connected::Socket(EdgeEnd::new(environment, callee, &name, number, mailbox)))
            }
            Opened::Refused(error) => Err(CallError::Exception(error.to_string())),
        }
    };
    let deliver = move |object: &str, request| callee.connect(object, request);
    travel_there_and_back(environment, object, request, deliver, accept).await?
}

/// There and back: `deliver` at the object, `accept` where its answer leaves it.
async fn travel_there_and_back<T: 'static, U: 'static>(
    environment: &Rc<Environment>,
    object: &str,
    request: ObjectRequest,
    deliver: impl FnOnce(&str, ObjectRequest) -> Reply<T> + 'static,
    accept: impl FnOnce(T) -> U + 'static,
) -> Result<U, CallError> {
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
            let Some(answer) = deliver(&object, request).await.map(accept) else { return };
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
