//! Live reads that wait for R2. Their readers are connected, though they have no socket here.

use std::cell::RefCell;

use crate::protocol::Incarnation;

/// The live reads of one object that wait for R2.
#[derive(Default)]
pub(super) struct LiveReads(RefCell<Vec<Incarnation>>);

/// A live read that waits for R2, until this is dropped.
pub(in crate::object) struct LiveRead<'a> {
    reads: &'a LiveReads,
    incarnation: Incarnation,
}

impl LiveReads {
    /// A live read of that stream waits.
    pub(super) fn begin(&self, incarnation: Incarnation) -> LiveRead<'_> {
        self.0.borrow_mut().push(incarnation.clone());
        LiveRead { reads: self, incarnation }
    }

    /// Whether one of that stream waits.
    pub(super) fn has(&self, incarnation: &Incarnation) -> bool {
        self.0.borrow().contains(incarnation)
    }
}

impl Drop for LiveRead<'_> {
    fn drop(&mut self) {
        let mut waiting = self.reads.0.borrow_mut();
        if let Some(place) = waiting.iter().position(|incarnation| *incarnation == self.incarnation) {
            waiting.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_a_live_read_until_its_last_one_has_ended() {
        let [stream, other] =
            ["00000000000000000000000000000001", "00000000000000000000000000000002"].map(Incarnation::from_stored);
        let reads = LiveReads::default();
        let has = || [&stream, &other].map(|incarnation| reads.has(incarnation));
        assert_eq!(has(), [false, false]);
        let (first, second) = (reads.begin(stream.clone()), reads.begin(stream.clone()));
        assert_eq!(has(), [true, false]);
        let third = reads.begin(other.clone());
        drop(first);
        assert_eq!(has(), [true, true]);
        drop(second);
        assert_eq!(has(), [false, true]);
        drop(third);
        assert_eq!(has(), [false, false]);
    }
}
