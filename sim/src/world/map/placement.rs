//! In which datacenter each object is.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// The datacenter of each object that was ever called, by the object's name. An object is placed near the one from which
/// it is first called, and stays there (Cloudflare, Durable Objects, "Data location").
#[derive(Default)]
pub(crate) struct Placement(RefCell<BTreeMap<String, usize>>);

impl Placement {
    /// The index of the datacenter in which an object is. `place` chooses one for an object that was not placed yet.
    pub(crate) fn colo_of(&self, object: &str, place: impl FnOnce() -> usize) -> usize {
        if let Some(colo) = self.0.borrow().get(object) {
            return *colo;
        }
        let colo = place();
        self.0.borrow_mut().insert(object.to_owned(), colo);
        colo
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_stays_where_it_was_placed_first() {
        let placement = Placement::default();
        assert_eq!(placement.colo_of("a", || 2), 2);
        assert_eq!(placement.colo_of("a", || 1), 2);
        assert_eq!(placement.colo_of("b", || 1), 1);
    }
}
