//! How many bytes of request bodies the requests of an isolate hold together.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::protocol::limits::HELD_BODY_MS;

/// The bodies that are held in one instance of core, which the host keeps for all of its requests; clones share it.
#[derive(Clone, Debug, Default)]
pub struct HeldBodies(Rc<Count>);

#[derive(Debug, Default)]
struct Count {
    /// Of each body, when it was first in the way of another one, in ms since the Unix epoch, and its bytes.
    bodies: RefCell<BTreeMap<u64, (Option<u64>, usize)>>,
    bytes: Cell<usize>,
    last: Cell<u64>,
}

/// A body that is held until this is dropped.
///
/// A host may end a request without a word and drop its task much later. So a body that has been in the way of others
/// for longer than any can be held ([`HELD_BODY_MS`]) counts no more. As long as there is room, nobody asks for the time:
/// on Workers that costs a crossing.
#[derive(Debug)]
pub struct HeldBody {
    of: HeldBodies,
    number: u64,
}

impl HeldBodies {
    /// Holds so many bytes, unless that would be more than `most_bytes` in all.
    pub fn hold(&self, bytes: usize, most_bytes: usize, now_ms: impl FnOnce() -> u64) -> Option<HeldBody> {
        if !self.has_room(bytes, most_bytes, now_ms) {
            return None;
        }
        let Count { bodies, last, .. } = &*self.0;
        let number = last.get().wrapping_add(1);
        last.set(number);
        bodies.borrow_mut().insert(number, (None, bytes));
        self.add(bytes);
        Some(HeldBody { of: self.clone(), number })
    }

    /// How many bytes are held.
    pub fn bytes(&self) -> usize {
        self.0.bytes.get()
    }

    fn has_room(&self, bytes: usize, most_bytes: usize, now_ms: impl FnOnce() -> u64) -> bool {
        let fits = || self.0.bytes.get().checked_add(bytes).is_some_and(|bytes| bytes <= most_bytes);
        if fits() {
            return true;
        }
        self.forget_old(now_ms());
        fits()
    }

    fn forget_old(&self, now_ms: u64) {
        let mut bodies = self.0.bodies.borrow_mut();
        bodies.retain(|_, (since_ms, _)| now_ms.saturating_sub(*since_ms.get_or_insert(now_ms)) < HELD_BODY_MS);
        self.0.bytes.set(bodies.values().map(|(_, bytes)| *bytes).sum());
    }

    fn add(&self, bytes: usize) {
        self.0.bytes.set(self.0.bytes.get().saturating_add(bytes));
    }
}

impl HeldBody {
    /// Holds so many bytes from now on, unless that would be more than `most_bytes` in all. Returns whether it does.
    pub fn grow(&self, bytes: usize, most_bytes: usize, now_ms: impl FnOnce() -> u64) -> bool {
        let held = self.of.0.bodies.borrow().get(&self.number).map_or(0, |(_, bytes)| *bytes);
        let more = bytes.saturating_sub(held);
        if !self.of.has_room(more, most_bytes, now_ms) {
            return false;
        }
        if let Some((_, held)) = self.of.0.bodies.borrow_mut().get_mut(&self.number) {
            *held += more;
            self.of.add(more);
        }
        true
    }
}

impl Drop for HeldBody {
    fn drop(&mut self) {
        let dropped = self.of.0.bodies.borrow_mut().remove(&self.number);
        if let Some((_, bytes)) = dropped {
            self.of.0.bytes.set(self.of.0.bytes.get().saturating_sub(bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_held_up_to_a_number_of_bytes_in_all() {
        let held = HeldBodies::default();
        let first = held.hold(60, 100, || 0).expect("room");
        assert!(held.hold(41, 100, || 0).is_none());
        let second = held.hold(40, 100, || 0).expect("room");
        assert!(!second.grow(41, 100, || 0));
        drop(first);
        assert_eq!(held.bytes(), 40);
        assert!(second.grow(100, 100, || 0));
        assert!(second.grow(10, 100, || 0), "it holds more than that already");
        assert_eq!(held.bytes(), 100);
        drop(second);
        assert_eq!(held.bytes(), 0);
        assert!(held.hold(usize::MAX, 100, || 0).is_none());
    }

    #[test]
    fn what_a_request_that_ended_without_a_word_has_left_counts_for_a_while_only() {
        let held = HeldBodies::default();
        let lost = held.hold(90, 100, || panic!("nobody asks for the time")).expect("room");
        assert!(held.hold(20, 100, || 5).is_none(), "it is in the way from now on");
        assert!(held.hold(20, 100, || 4 + HELD_BODY_MS).is_none());
        let next = held.hold(20, 100, || 5 + HELD_BODY_MS).expect("room");
        assert_eq!(held.bytes(), 20);
        assert!(!lost.grow(95, 100, || 5 + HELD_BODY_MS), "it needs room for all of it again");
        drop(lost);
        assert_eq!(held.bytes(), 20);
        drop(next);
        assert_eq!(held.bytes(), 0);
    }
}
