//! What the edge notes about an answer that it keeps.

/// What the edge notes about an answer that it keeps, in a header field that no client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryNote {
    /// When the object answered, by the edge's clock, in ms since the Unix epoch.
    pub answered_ms: u64,
    /// For how long after that the answer may be served, in ms.
    pub lasts_ms: u64,
}

impl EntryNote {
    /// From the field's value.
    pub fn parse(text: &str) -> Option<Self> {
        let (answered, lasts) = text.split_once(' ')?;
        Some(Self { answered_ms: answered.parse().ok()?, lasts_ms: lasts.parse().ok()? })
    }

    /// The field's value.
    pub fn to_text(self) -> String {
        format!("{} {}", self.answered_ms, self.lasts_ms)
    }

    /// How old the answer is, in seconds; `None` if it is too old to be served. Where the clock of this machine is not
    /// that of the one that kept it, the answer may be from the future: then it is new.
    pub fn age_s(self, now_ms: u64) -> Option<u64> {
        let age_ms = now_ms.saturating_sub(self.answered_ms);
        (age_ms < self.lasts_ms).then_some(age_ms / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_is_served_until_its_time_is_up() {
        let note = EntryNote { answered_ms: 10_000, lasts_ms: 2_500 };
        for (now_ms, expected) in
            [(0, Some(0)), (10_000, Some(0)), (10_999, Some(0)), (11_000, Some(1)), (12_499, Some(2)), (12_500, None)]
        {
            assert_eq!(note.age_s(now_ms), expected, "{now_ms}");
        }
        for text in ["", "1", "1 ", " 1", "a 1", "1 -1", "1 1 1"] {
            assert_eq!(EntryNote::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_note_comes_back(answered_ms: u64, lasts_ms: u64) {
            let note = EntryNote { answered_ms, lasts_ms };
            prop_assert_eq!(EntryNote::parse(&note.to_text()), Some(note));
        }
    }
}
