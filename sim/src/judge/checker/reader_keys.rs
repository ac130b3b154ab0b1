//! Which reader key a stream had when, as far as the answers tell: a key is never used again, so whatever was told twice
//! held all the time between.

use crate::judge::history::{Call, History, Moment};

/// Whether a key was the stream's at every moment of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// At all of them.
    Surely,
    /// At some of them, for all that is known.
    Perhaps,
    /// At none.
    Never,
}

/// That a key was the stream's at some moment between two.
#[derive(Debug)]
struct Seen<'a> {
    op: usize,
    key: &'a str,
    from: Moment,
    to: Moment,
    /// Whether it was not the stream's before.
    is_new: bool,
}

/// The reader keys of a stream, as far as the answers tell.
#[derive(Debug, Default)]
pub(super) struct ReaderKeys<'a> {
    seen: Vec<Seen<'a>>,
    /// Keys that a superseded instance has told: they held at some time before.
    doubtful: Vec<&'a str>,
    /// What may have given the stream another key: which request, from when to when.
    changes: Vec<(usize, Moment, Moment)>,
}

impl<'a> ReaderKeys<'a> {
    pub(super) fn of(history: &'a History, stream: usize) -> Self {
        let mut keys = Self::default();
        for (index, op) in history.of_stream(stream) {
            let told = op.definite().and_then(|answer| answer.reader_key.as_deref()).zip(op.ended);
            match told {
                Some((key, to)) if history.is_true(op) => {
                    let is_new = matches!(op.call, Call::Create { .. } | Call::NewReaderKey);
                    keys.seen.push(Seen { op: index, key, from: op.invoked, to, is_new });
                }
                Some((key, _)) => keys.doubtful.push(key),
                None => {}
            }
            let may_change = match op.call {
                Call::Create { .. } | Call::NewReaderKey => matches!(op.status(), None | Some(200 | 201)),
                Call::Delete => matches!(op.status(), None | Some(204)),
                _ => false,
            };
            if may_change && !matches!((&op.call, op.status()), (Call::Create { .. }, Some(200))) {
                keys.changes.push((index, op.invoked, op.settled()));
            }
        }
        keys
    }

    /// Whether somebody was told the key before that.
    pub(super) fn is_known(&self, key: &str, before: Moment) -> bool {
        self.seen.iter().any(|seen| seen.key == key && seen.to < before)
    }

    /// Whether what a URL has as its reader key was the stream's between these virtual ms.
    pub(super) fn held(&self, key: Option<&str>, (from_ms, to_ms): (u64, u64)) -> Held {
        let Some(key) = key else { return Held::Never };
        let own = || self.seen.iter().filter(|seen| seen.key == key);
        let Some(first) = own().map(|seen| seen.to).min() else {
            return if self.doubtful.contains(&key) { Held::Perhaps } else { Held::Never };
        };
        let later = self.seen.iter().filter(|seen| seen.key != key && seen.from > first);
        if later.map(|seen| seen.to.ms).min().is_some_and(|over_ms| over_ms < from_ms) {
            return Held::Never;
        }
        if own().any(|seen| seen.is_new && to_ms < seen.from.ms) {
            return Held::Never;
        }
        let is_seen_after = own().any(|seen| seen.from.ms >= to_ms);
        let may_change = |since: &Seen<'_>| {
            self.changes.iter().any(|(op, from, to)| *op != since.op && from.ms <= to_ms && *to > since.from)
        };
        match own().any(|seen| seen.to.ms <= from_ms && (is_seen_after || !may_change(seen))) {
            true => Held::Surely,
            false => Held::Perhaps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{created, deleted, keyed_answer, run, tail};

    #[test]
    fn a_key_holds_from_when_it_was_told_until_it_may_have_been_replaced() {
        let mut run = run();
        let told = |key, answer| keyed_answer(key, answer);
        // Requests take a ms, and follow one another: this is 1,000,003 to 1,000,004.
        run.head(told("a", tail(0, 0)));
        run.wait_ms(100);
        run.new_reader_key(told("b", tail(0, 0)));
        run.wait_ms(100);
        run.head(told("b", tail(0, 0)));
        run.wait_ms(100);
        run.new_reader_key(None);
        let times: Vec<(u64, u64)> =
            run.history.ops.iter().map(|op| (op.invoked.ms, op.ended.map_or(0, |ended| ended.ms))).collect();
        let [_, first, second, third, fourth] = times[..] else { panic!("{times:?}") };
        let keys = ReaderKeys::of(&run.history, 0);
        for (key, from_ms, to_ms, expected) in [
            (None, first.1, first.1, Held::Never),
            (Some("c"), first.1, first.1, Held::Never),
            (Some("a"), first.1, second.0 - 1, Held::Surely),
            (Some("a"), first.0, second.0 - 1, Held::Perhaps),
            (Some("a"), first.1, second.0, Held::Perhaps),
            (Some("a"), second.1, third.0, Held::Perhaps),
            (Some("a"), second.1 + 1, third.0, Held::Never),
            (Some("b"), second.1, third.0, Held::Surely),
            (Some("b"), second.0, third.0, Held::Perhaps),
            (Some("b"), third.1, fourth.0 - 1, Held::Surely),
            // Nobody knows whether the stream has another one by now.
            (Some("b"), third.1, fourth.0, Held::Perhaps),
            (Some("b"), fourth.1 + 9_000, fourth.1 + 9_000, Held::Perhaps),
        ] {
            assert_eq!(keys.held(key, (from_ms, to_ms)), expected, "{key:?} {from_ms} {to_ms}");
        }
    }

    #[test]
    fn another_stream_at_the_url_has_another_key() {
        let mut run = run();
        run.head(keyed_answer("a", tail(0, 0)));
        run.delete(deleted());
        let gone_ms = run.now_ms();
        run.create(crate::judge::history::Lifetime::Endless, keyed_answer("b", created(1)));
        let keys = ReaderKeys::of(&run.history, 0);
        assert_eq!(keys.held(Some("a"), (gone_ms, gone_ms)), Held::Perhaps);
        assert_eq!(keys.held(Some("a"), (gone_ms + 3, gone_ms + 3)), Held::Never);
        assert_eq!(keys.held(Some("b"), (gone_ms + 3, gone_ms + 3)), Held::Surely);
    }
}
