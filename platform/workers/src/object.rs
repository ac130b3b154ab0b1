//! What a Durable Object calls.

use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tailrace_core::object::AnyObject;
use tailrace_core::protocol::{Class, Response};
use tailrace_core::runtime::{Actor, ObjectAnswer, ObjectRequest, Upgrade};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

use crate::deployment::Deployment;
use crate::io::{ObjectIo, words};
use crate::state::ObjectState;

/// Core's part of a Durable Object.
#[wasm_bindgen]
pub struct ObjectHost {
    io: ObjectIo,
    #[cfg(feature = "faults")]
    state: ObjectState,
    actor: Rc<AnyObject<ObjectState>>,
}

#[wasm_bindgen]
impl ObjectHost {
    /// Starts the object of a class, by its number. It reads its storage now.
    #[wasm_bindgen(constructor)]
    pub fn new(io: ObjectIo, class: u32) -> Self {
        // An object of another class would not know what it has stored. The instance is lost by this.
        let class = Class::of_number(class).unwrap_or_else(|| panic!("no class {class}"));
        let state = ObjectState::new(io.clone(), class);
        let settings = Deployment::with(|deployment| deployment.settings.clone());
        Self {
            io,
            #[cfg(feature = "faults")]
            state: state.clone(),
            actor: Rc::new(AnyObject::new(state, settings)),
        }
    }

    /// Answers a call: `io` gets the answer, or a socket to accept. Returns false if it has got it already, and true if
    /// it gets it later.
    pub fn call(&self, call: u32, message: String, body: Option<Vec<u8>>) -> bool {
        let (io, actor) = (self.io.clone(), Rc::clone(&self.actor));
        #[cfg(feature = "faults")]
        let ((fault, message), state) = (crate::fault::split(message), self.state.clone());
        drive(async move {
            #[cfg(feature = "faults")]
            crate::fault::in_object(fault, state).await;
            match actor.call(ObjectRequest { message, body: body.unwrap_or_default().into() }).await {
                ObjectAnswer::Response(response) => answer(&io, call, &response),
                ObjectAnswer::Upgrade(Upgrade { tags, attachment, greeting, otherwise }) => {
                    #[cfg(feature = "faults")]
                    let tags = crate::fault::tags(tags);
                    if let Err(exception) = io.upgrade(call, &tags.join("\n"), &attachment, &greeting) {
                        tracing::error!(message = words(&exception), "a socket was not accepted");
                        answer(&io, call, &otherwise);
                    }
                }
            }
        })
    }

    /// Handles the alarm: `io` is told how that ended. Returns as `call` does.
    pub fn alarm(&self, call: u32) -> bool {
        let (io, actor) = (self.io.clone(), Rc::clone(&self.actor));
        drive(async move {
            #[cfg(feature = "faults")]
            crate::fault::in_alarm();
            let failure = actor.alarm().await.err().map_or(String::new(), |failure| failure.message);
            if let Err(exception) = io.alarm_ended(call, &failure) {
                tracing::error!(message = words(&exception), "the object has not taken the end of its alarm");
            }
        })
    }
}

fn answer(io: &ObjectIo, call: u32, response: &Response) {
    if let Err(exception) = io.answer(call, response.status, &response.headers.to_lines(), &response.body) {
        tracing::error!(message = words(&exception), "the object has not taken an answer");
    }
}

/// Polls a future once. Returns whether it waits; then it goes on by itself.
fn drive(future: impl Future<Output = ()> + 'static) -> bool {
    let mut future = Box::pin(future);
    // No wake-up is lost: `spawn_local` polls the future again soon, with a waker of its own.
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(()) => false,
        Poll::Pending => {
            spawn_local(future);
            true
        }
    }
}
