//! Who waits for its client in an isolate, for how long, and who of them has to go if too much waits for all clients.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::protocol::limits::STALL_LOOK_MS;

/// Who waits for clients in one instance of core, which the host keeps for all of its requests; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Backlogs(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Who waits for its client, by when that began: how many bytes wait, and when it last looked whether it is to go on,
    /// in ms since the Unix epoch.
    stalled: RefCell<BTreeMap<(u64, u64), (usize, u64)>>,
    last: Cell<u64>,
}

/// A connection that waits for its client, as long as this lives.
#[derive(Debug)]
pub struct Stalled {
    of: Backlogs,
    key: (u64, u64),
}

impl Backlogs {
    /// A connection waits from now on until its client has taken enough of so many bytes.
    pub fn stall(&self, bytes: usize, now_ms: u64) -> Stalled {
        let number = self.0.last.get().wrapping_add(1);
        self.0.last.set(number);
        let key = (now_ms, number);
        self.0.stalled.borrow_mut().insert(key, (bytes, now_ms));
        Stalled { of: self.clone(), key }
    }
}

impl Stalled {
    /// Whether this connection is to be given up, so that `over_bytes` are free: those that have waited for longer are
    /// given up before. Each has to ask once in [`STALL_LOOK_MS`]; one that does not was ended by the host, and counts
    /// no more.
    pub fn is_to_go(&self, over_bytes: usize, now_ms: u64) -> bool {
        let mut stalled = self.of.0.stalled.borrow_mut();
        if let Some((_, looked_ms)) = stalled.get_mut(&self.key) {
            *looked_ms = now_ms;
        }
        let here = |looked_ms: u64| now_ms.saturating_sub(looked_ms) < 3 * STALL_LOOK_MS;
        let longer = stalled.range(..self.key).filter(|(_, (_, looked_ms))| here(*looked_ms));
        over_bytes > longer.map(|(_, (bytes, _))| *bytes).fold(0, usize::saturating_add)
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        self.of.0.stalled.borrow_mut().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_longest_is_given_up_first_and_as_many_as_it_takes() {
        let backlogs = Backlogs::default();
        let stalled = [10, 20, 30].map(|since_ms| backlogs.stall(100, since_ms));
        let to_go = |over, now_ms| stalled.each_ref().map(|stalled| stalled.is_to_go(over, now_ms));
        assert_eq!(to_go(0, 40), [false, false, false]);
        assert_eq!(to_go(1, 40), [true, false, false]);
        assert_eq!(to_go(100, 40), [true, false, false]);
        assert_eq!(to_go(101, 40), [true, true, false]);
        assert_eq!(to_go(300, 40), [true, true, true]);
        let [first, others @ ..] = stalled;
        drop(first);
        assert_eq!(others.each_ref().map(|stalled| stalled.is_to_go(1, 40)), [true, false]);
        // The first one of these asks no more.
        assert!(!others[1].is_to_go(1, 39 + 3 * STALL_LOOK_MS));
        assert!(others[1].is_to_go(1, 40 + 3 * STALL_LOOK_MS));
    }
}
