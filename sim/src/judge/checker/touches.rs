//! Which requests may have started a sliding TTL anew, and until when.

use std::collections::HashMap;

use super::attendance::live_travel_ms;
use crate::judge::history::{Arrival, Call, Giver, Handed, History, How, Moment, Op, Payload};
use crate::world::Harm;

/// Harms after which a request may come long after its client has given it up.
pub(super) const SLOW: &[Harm] = &[Harm::ClientMessageSlow, Harm::CallSlow];

/// How much longer a request may be under way whose messages take long, in ms: each of them a minute at most.
pub(super) const SLOW_STRAGGLER_MS: u64 = 130_000;

/// Later than everything, and far from overflowing.
const NEVER_MS: u64 = u64::MAX / 2;

/// The requests of one stream that may have started its sliding TTL anew, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Touches {
    invoked: Vec<Moment>,
    /// Of the first one, the first two, and so on: the latest.
    latest: Vec<Latest>,
    /// The same of live ones, which may have left a socket then that keeps the stream until it is too old.
    latest_live: Vec<Latest>,
}

/// The latest virtual ms at which some requests can have started a TTL anew: that of one, and that of all others.
#[derive(Clone, Copy, Debug, Default)]
struct Latest {
    /// An index of operations, with its ms.
    first: Option<(usize, u64)>,
    /// The latest ms of all others.
    second_ms: Option<u64>,
}

impl Latest {
    fn with(self, op: usize, ms: u64) -> Self {
        match self.first {
            Some((_, first_ms)) if first_ms >= ms => Self { second_ms: self.second_ms.max(Some(ms)), ..self },
            first => Self { first: Some((op, ms)), second_ms: first.map(|(_, ms)| ms) },
        }
    }

    fn without(self, op: Option<usize>) -> Option<u64> {
        let (first, ms) = self.first?;
        if Some(first) == op { self.second_ms } else { Some(ms) }
    }
}

impl Touches {
    /// A live read touches its stream where it reads: when it comes, and, if its edge has to come back for more, until
    /// its connection ends.
    pub(super) fn of(history: &History, stream: usize, arrivals: &[Arrival<'_>]) -> Self {
        let conditions = &history.conditions;
        let mut brought: HashMap<usize, u64> = HashMap::new();
        for arrival in arrivals.iter().filter(|arrival| arrival.payload != Payload::Empty) {
            let last_ms = brought.entry(arrival.op).or_default();
            *last_ms = arrival.at.ms.max(*last_ms);
        }
        let straggler_ms = |op: &Op| {
            let is_slow = history.harms.has(op.request, SLOW);
            conditions.straggler_ms + if is_slow { SLOW_STRAGGLER_MS } else { 0 }
        };
        let live_ms = |index: usize, op: &Op| match history.listenings.get(&index) {
            _ if op.invoked.ms >= conditions.settled_from_ms => {
                brought.get(&index).copied().unwrap_or_default().max(op.invoked.ms + live_travel_ms(history))
            }
            Some(listening) => listening.end.map_or(NEVER_MS, |(end, _)| end.ms),
            None => op.ended.map_or(NEVER_MS, |ended| ended.ms + straggler_ms(op)),
        };
        let mut touches = Self::default();
        let (mut latest, mut latest_live) = (Latest::default(), Latest::default());
        // What is handed out stale is asked for again meanwhile.
        let is_copy = |op: &Op| match history.giver(op) {
            Giver::Front(Handed { how, .. }) => how != How::Stale,
            giver => giver.is_cache(),
        };
        for (index, op) in history.of_stream(stream).filter(|(_, op)| may_touch(op) && !is_copy(op)) {
            let last_ms = match (&op.call, op.definite(), op.ended) {
                (Call::Live { .. }, ..) => live_ms(index, op),
                (_, Some(_), Some(ended)) => ended.ms,
                _ => op.invoked.ms + straggler_ms(op),
            };
            latest = latest.with(index, last_ms);
            if matches!(op.call, Call::Live { .. }) {
                latest_live = latest_live.with(index, last_ms);
            }
            touches.invoked.push(op.invoked);
            touches.latest.push(latest);
            touches.latest_live.push(latest_live);
        }
        touches
    }

    /// The latest virtual ms at which a request made before `until`, other than `op`, can have started the TTL anew.
    pub(super) fn last_ms(&self, until: Moment, op: Option<usize>) -> Option<u64> {
        self.before(&self.latest, until)?.without(op)
    }

    /// The same for live ones.
    pub(super) fn last_live_ms(&self, until: Moment, op: Option<usize>) -> Option<u64> {
        self.before(&self.latest_live, until)?.without(op)
    }

    fn before(&self, latest: &[Latest], until: Moment) -> Option<Latest> {
        let count = self.invoked.partition_point(|invoked| *invoked < until);
        latest.get(count.checked_sub(1)?).copied()
    }
}

/// Whether a request may start a sliding TTL anew. Asking for metadata does not, nor does what is refused.
fn may_touch(op: &Op) -> bool {
    match op.call {
        Call::Head | Call::Delete | Call::NewReaderKey => false,
        Call::Live { .. } => true,
        _ => op.status().is_none_or(|status| status < 400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_several_is_told_with_and_without_each_of_them() {
        for touches in [[(0, 5), (1, 9), (2, 7)], [(0, 9), (1, 5), (2, 9)], [(0, 1), (1, 2), (2, 3)]] {
            let latest = touches.iter().fold(Latest::default(), |latest, (op, ms)| latest.with(*op, *ms));
            assert_eq!(latest.without(None), touches.iter().map(|(_, ms)| *ms).max());
            for op in 0..3 {
                let others = touches.iter().filter(|(other, _)| *other != op).map(|(_, ms)| *ms).max();
                assert_eq!(latest.without(Some(op)), others, "{touches:?} without {op}");
            }
        }
        assert_eq!(Latest::default().with(3, 8).without(Some(3)), None);
        assert_eq!(Latest::default().without(None), None);
    }
}
