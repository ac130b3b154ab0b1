//! Turns: what an event of an object runs between two awaits.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::world::environment::Environment;

/// When an object crashes, seen from one of its turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Not now.
    Survives,
    /// The turn never runs.
    CrashesBefore,
    /// The turn has run. What it put out waits or has left, and its result is never seen.
    CrashesAfter,
}

impl Fate {
    /// Draws the fate of a turn. `awaits`: the event has awaited something, so this is not its first turn.
    pub(crate) fn draw(environment: &Environment, awaits: bool) -> Self {
        let faults = environment.faults().objects;
        if awaits && environment.chance(faults.crash_awaiting_permille) {
            Self::CrashesBefore
        } else if !environment.chance(faults.crash_permille) {
            Self::Survives
        } else if environment.random.between(0, 1) == 0 {
            Self::CrashesBefore
        } else {
            Self::CrashesAfter
        }
    }
}

/// What runs an event turn by turn: an instance.
pub(crate) trait TakesTurns {
    /// Runs one turn. `awaits`: the event has awaited something, so this is not its first turn.
    fn turn(self: &Rc<Self>, awaits: bool, run: impl FnOnce());

    /// Whether it runs no more turns.
    fn has_ended(&self) -> bool;
}

/// An event of an instance. Each poll is one turn: its writes are one batch, and the object may crash before or after.
pub(crate) struct Turns<I, F> {
    instance: Rc<I>,
    event: Pin<Box<F>>,
    /// Whether the event has awaited something.
    awaits: bool,
}

impl<I: TakesTurns, F: Future> Turns<I, F> {
    pub(crate) fn new(instance: &Rc<I>, event: F) -> Self {
        Self { instance: instance.clone(), event: Box::pin(event), awaits: false }
    }
}

impl<I: TakesTurns, F: Future> Future for Turns<I, F> {
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
