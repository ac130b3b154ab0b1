//! Which messages a reader is to get next. Those of one writer come in the order in which it wrote them; of several writers
//! any may be first. Writers take turns: of as many as there are, each writes every so-many-th message of its stream.

/// By writer, the place of its message that a reader is to get next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::crowd) struct Expected(Box<[u32]>);

impl Expected {
    /// From the first message on, of so many writers.
    pub(in crate::crowd) fn of(writers: usize) -> Self {
        Self((0..writers as u32).collect())
    }

    /// From the first message on.
    pub(in crate::crowd) fn begin_anew(&mut self) {
        self.0.iter_mut().zip(0..).for_each(|(next, writer)| *next = writer);
    }

    /// The message of that place has come. Returns whether it is its writer's next one.
    pub(in crate::crowd) fn take(&mut self, place: u32) -> bool {
        let writers = self.0.len() as u32;
        let next = &mut self.0[(place % writers) as usize];
        let is_next = *next == place;
        *next = place + writers;
        is_next
    }

    /// Whether all of so many messages have come.
    pub(in crate::crowd) fn have_come(&self, written: u32) -> bool {
        self.0.iter().all(|next| (written..written + self.0.len() as u32).contains(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_of_each_writer_come_once_and_in_order() {
        for (writers, places, are_next, have_come) in [
            (1, &[0, 1, 2][..], true, true),
            (1, &[0, 1], true, false),
            (1, &[], true, false),
            (1, &[0, 2, 1], false, false),
            (1, &[0, 2], false, true),
            (1, &[0, 0, 1, 2], false, true),
            // Two write 0 and 2, and 1.
            (2, &[0, 1, 2], true, true),
            (2, &[1, 0, 2], true, true),
            (2, &[0, 2, 1], true, true),
            (2, &[0, 2], true, false),
            (2, &[0, 1], true, false),
            (2, &[2, 1, 0], false, false),
            (2, &[1, 2], false, true),
            (2, &[0, 1, 1, 2], false, true),
            // More of them than there are messages.
            (5, &[2, 0, 1], true, true),
            (5, &[2, 0], true, false),
        ] {
            let mut expected = Expected::of(writers);
            let are_taken: Vec<bool> = places.iter().map(|place| expected.take(*place)).collect();
            assert_eq!(!are_taken.contains(&false), are_next, "{writers} {places:?}");
            assert_eq!(expected.have_come(3), have_come, "{writers} {places:?}");
            expected.begin_anew();
            assert_eq!(expected, Expected::of(writers));
        }
    }

    #[test]
    fn of_no_messages_all_have_come() {
        assert!([1, 7].map(|writers| Expected::of(writers).have_come(0)) == [true; 2]);
    }
}
