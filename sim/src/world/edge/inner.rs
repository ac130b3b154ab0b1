//! The inner entrypoint of a program's edge, as its gateway asks it: in an isolate of the same datacenter, without a network
//! between them, and perhaps with a cache. It is invoked and billed like a request of a client, whose number it has: what
//! befalls it befalls that.

use std::rc::Rc;

use tailrace_core::protocol::{Headers, Method};
use tailrace_core::runtime::CallError;

use crate::kernel::reply::Reply;
use crate::world::edge::context::Context;
use crate::world::edge::reply::ObjectReply;
use crate::world::edge::request::{Request, RequestBody};
use crate::world::edge::served::Served;
use crate::world::event::{Lane, What};
use crate::world::harm::Harm;
use crate::world::marks;

/// The inner entrypoint of a datacenter's isolates.
pub(crate) trait InnerEntrypoint {
    /// Serves a request of a gateway of that release, for the client's request of that number. Returns its answer, and what
    /// is to be called if the one that waits for it goes.
    fn serve_inner(&self, number: u64, release: u32, request: Request) -> (Reply<Served>, Leave);

    /// The client of the request of that number has gone, whether its gateway notices or not.
    fn client_gone(&self, number: u64);
}

/// Tells an isolate, or the cache before it, that whoever waits for the answer has gone.
pub(crate) type Leave = Box<dyn FnOnce()>;

/// Who waits for the inner entrypoint. If it goes before the answer comes, the inner request has lost its client.
struct Waiting(Option<Leave>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(leave) = self.0.take() {
            leave();
        }
    }
}

/// Asks the inner entrypoint for what a GET of that URL answers.
pub(crate) async fn ask(
    context: Rc<Context>,
    entrypoint: Option<Rc<dyn InnerEntrypoint>>,
    release: u32,
    url: String,
) -> Result<ObjectReply, CallError> {
    let environment = context.environment();
    let entrypoint = entrypoint.ok_or(CallError::Reset)?;
    environment.mark(marks::INNER_ENTRYPOINT_ASKED);
    environment.note(Lane::Edge, What::InnerAsked { url: &url }, Some(context.number()));
    let (method, headers, body) = (Method::Get, Headers::default(), RequestBody::Empty);
    let (answer, leave) = entrypoint.serve_inner(context.number(), release, Request { method, url, headers, body });
    let mut waiting = Waiting(Some(leave));
    let served = answer.await;
    waiting.0 = None;
    match served {
        Some(Served { response, body: None }) => Ok(ObjectReply::new(context.clone(), response)),
        Some(Served { .. }) => Err(CallError::Exception("an answer that is written piece by piece".to_owned())),
        None => {
            environment.mark(marks::INNER_ENTRYPOINT_FAILED);
            // A cache between the two has said so of those whose answer was lost on the way to it.
            if !environment.faults().front.is_between() {
                context.harm(Harm::InnerLost);
            }
            Err(CallError::Reset)
        }
    }
}
