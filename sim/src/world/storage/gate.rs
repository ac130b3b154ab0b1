//! The output gate: what an object puts out waits until what it wrote before is durable, and leaves in order.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// Something that leaves the object.
type Output = Box<dyn FnOnce()>;

/// The gate of one instance.
pub(crate) struct Gate {
    confirmed: Cell<u64>,
    held: RefCell<VecDeque<(u64, Output)>>,
}

impl Gate {
    /// A gate for a journal that is confirmed up to that batch.
    pub(crate) fn new(confirmed: u64) -> Self {
        Self { confirmed: Cell::new(confirmed), held: RefCell::default() }
    }

    /// Lets an output pass once this batch is confirmed. Returns whether it has to wait.
    pub(crate) fn pass(&self, batch: u64, output: impl FnOnce() + 'static) -> bool {
        let held = batch > self.confirmed.get() || !self.held.borrow().is_empty();
        if held {
            self.held.borrow_mut().push_back((batch, Box::new(output)));
        } else {
            output();
        }
        held
    }

    /// Whether something waits.
    pub(crate) fn holds(&self) -> bool {
        !self.held.borrow().is_empty()
    }

    /// Everything up to this batch is durable.
    pub(crate) fn confirm(&self, batch: u64) {
        self.confirmed.set(self.confirmed.get().max(batch));
        loop {
            let next = self.held.borrow_mut().pop_front_if(|(waits_for, _)| *waits_for <= self.confirmed.get());
            match next {
                Some((_, output)) => output(),
                None => return,
            }
        }
    }

    /// Drops what waits, so that it never leaves.
    pub(crate) fn discard(&self) {
        let discarded = self.held.take();
        drop(discarded);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn outputs_leave_in_order_and_only_when_what_was_written_before_is_durable() {
        let gate = Gate::new(1);
        let left = Rc::new(RefCell::new(Vec::new()));
        let output = |name: &'static str| {
            let left = left.clone();
            move || left.borrow_mut().push(name)
        };
        assert!(!gate.pass(1, output("at once")));
        assert!(gate.pass(3, output("third")));
        assert!(gate.pass(3, output("third as well")));
        assert!(gate.pass(4, output("fourth")));
        gate.confirm(2);
        assert_eq!(*left.borrow(), ["at once"]);
        gate.confirm(3);
        assert_eq!(*left.borrow(), ["at once", "third", "third as well"]);
        assert!(gate.holds());
        gate.discard();
        gate.confirm(4);
        assert_eq!(left.borrow().len(), 3, "what was discarded never leaves");
        assert!(!gate.holds());
    }
}
