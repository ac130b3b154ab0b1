//! The instance of core in which the requests of an isolate run. A panic loses it with all tasks in it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use crate::world::clock;
use crate::world::edge::context::Context;
use crate::world::harm::Harm;

/// A request by its number, and by how many had come before it: what a gateway asks for a request has the same number.
type Key = (u64, u64);

/// The requests that run in an isolate's instance. A new instance serves those that go on.
#[derive(Default)]
pub(crate) struct Instance {
    running: RefCell<BTreeMap<Key, Weak<Context>>>,
    entered: Cell<u64>,
    /// Since when nothing runs in it, in ms since the Unix epoch; `None` before the first request.
    idle_since_ms: Cell<Option<u64>>,
}

/// A request's place in the instance, which it leaves when this is dropped.
pub(crate) struct Place {
    instance: Rc<Instance>,
    key: Key,
}

impl Instance {
    /// The request of that context runs from here on.
    pub(crate) fn enter(self: &Rc<Self>, context: &Rc<Context>) -> Place {
        let key = (context.number(), self.entered.get());
        self.entered.set(self.entered.get() + 1);
        self.running.borrow_mut().insert(key, Rc::downgrade(context));
        Place { instance: self.clone(), key }
    }

    /// Whether requests run in it.
    pub(crate) fn is_busy(&self) -> bool {
        !self.running.borrow().is_empty()
    }

    /// Since when no request runs in it, in ms since the Unix epoch; `None` if one does, or none ever has.
    pub(crate) fn idle_since_ms(&self) -> Option<u64> {
        self.idle_since_ms.get().filter(|_| !self.is_busy())
    }

    /// A fault touches every request that runs in the instance.
    pub(crate) fn harm(&self, harm: Harm) {
        for context in self.running.borrow().values().filter_map(Weak::upgrade) {
            context.harm(harm);
        }
    }

    /// The instance is lost: every request that runs in it loses its task.
    pub(crate) fn lose(&self) {
        self.harm(Harm::InstanceTaken);
        for context in self.running.borrow().values().filter_map(Weak::upgrade) {
            context.lose_instance();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.instance.running.borrow_mut().remove(&self.key);
        self.instance.idle_since_ms.set(Some(clock::now_ms()));
    }
}
