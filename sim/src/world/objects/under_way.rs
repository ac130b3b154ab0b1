//! The events of an instance that core is working on: what becomes of each if core is lost.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// What tells those who wait for an event that core was lost.
type Tell = Box<dyn FnOnce()>;

/// The events that core is working on.
#[derive(Default)]
pub(crate) struct UnderWay {
    events: RefCell<BTreeMap<u64, Tell>>,
    begun: Cell<u64>,
}

impl UnderWay {
    /// Core begins to work on an event; `tell` is called if core is lost before it has. Returns the event's number.
    pub(crate) fn begin(&self, tell: impl FnOnce() + 'static) -> u64 {
        self.begun.set(self.begun.get() + 1);
        self.events.borrow_mut().insert(self.begun.get(), Box::new(tell));
        self.begun.get()
    }

    /// Core has worked on the event.
    pub(crate) fn finish(&self, number: u64) {
        self.events.borrow_mut().remove(&number);
    }

    /// Core is lost: tells everybody who waits. Returns whether anybody did.
    pub(crate) fn lose(&self) -> bool {
        let lost = self.events.take();
        let any = !lost.is_empty();
        lost.into_values().for_each(|tell| tell());
        any
    }

    /// Nobody waits any more, or is told otherwise.
    pub(crate) fn forget(&self) {
        self.events.take();
    }
}
