//! Turns: what an event of an object runs between two awaits.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::world::objects::class::ObjectClass;
use crate::world::objects::instance::Instance;

/// When an object crashes, seen from one of its turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Not now.
    Survives,
    /// The turn never runs.
    CrashesBefore,
    /// The turn has run; what it put out waits or is already gone, its result is never seen.
    CrashesAfter,
}

/// An event of an instance. Each poll is one turn: its writes are one batch, and the object may crash before or after.
pub(crate) struct Turns<A: ObjectClass, F> {
    instance: Rc<Instance<A>>,
    event: Pin<Box<F>>,
    /// Whether it has awaited something.
    awaits: bool,
}

impl<A: ObjectClass, F: Future> Turns<A, F> {
    pub(crate) fn new(instance: &Rc<Instance<A>>, event: F) -> Self {
        Self { instance: instance.clone(), event: Box::pin(event), awaits: false }
    }
}

impl<A: ObjectClass, F: Future> Future for Turns<A, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let instance = self.instance.clone();
        let mut result = Poll::Pending;
        let awaits = std::mem::replace(&mut self.awaits, true);
        instance.turn(awaits, || result = self.event.as_mut().poll(context));
        // An instance that has ended polls no event again: its tasks are cancelled.
        if instance.has_ended() { Poll::Pending } else { result }
    }
}
