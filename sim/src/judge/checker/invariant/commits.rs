//! Commit times grow strictly with every append, also where a restart steps the clock back, and where the log before it
//! has gone to R2: cursors are made of them, and sliding lifetimes.

use std::collections::BTreeSet;

use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, LogPosition, Violation};
use crate::judge::history::CommitTimes;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let starts: BTreeSet<LogPosition> = case.log.placed.iter().map(|placed| placed.start).collect();
    let looks = case.history.commits.iter().filter(|commits| commits.stream == case.stream);
    let complaints = looks.filter_map(|commits| Some((commits.at.ms, complaint(commits, &starts)?)));
    complaints.map(|(at_ms, text)| case.violation(Invariant::Commits, &[], format!("at {at_ms} ms {text}"))).collect()
}

/// The first two rows that contradict each other. Those of one append have one time; where an append is known to start,
/// its time is later.
fn complaint(commits: &CommitTimes, starts: &BTreeSet<LogPosition>) -> Option<String> {
    commits.times.windows(2).find_map(|rows| {
        let [(first_segment, first_index, first_ms), (segment, index, ms)] = *rows else { return None };
        let at = LogPosition { segment, index };
        let is_same_place = (first_segment, first_index) == (segment, index);
        let stands = first_ms == ms && starts.contains(&at) && !is_same_place;
        let differs = first_ms != ms && is_same_place;
        let falls = first_ms > ms || stands || differs;
        falls.then(|| format!("what is at {at} was committed at {ms} ms, and what is before it at {first_ms} ms"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, acked, created};
    use crate::judge::history::{Lifetime, Moment};

    #[test]
    fn commit_times_grow_from_append_to_append_and_stay_within_one() {
        for (times, expected) in [
            (vec![(0, 0, 5), (0, 1, 6), (0, 3, 7)], 0),
            // The second append is of two messages, in a row each.
            (vec![(0, 0, 5), (0, 1, 6), (0, 2, 6), (0, 3, 7)], 0),
            (vec![(0, 0, 5), (0, 1, 5), (0, 3, 7)], 1),
            (vec![(0, 0, 5), (0, 1, 4), (0, 3, 7)], 1),
            (vec![(0, 0, 5), (0, 1, 6), (1, 0, 6)], 0),
            (vec![(0, 0, 5), (0, 1, 6), (1, 0, 2)], 1),
            (vec![(0, 0, 5), (0, 1, 6), (0, 1, 7)], 1),
        ] {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            for (count, end) in [(1, 1), (2, 3), (1, 4)] {
                run.append(count, acked(0, end));
            }
            let at = Moment { tick: 9, ms: 1_000_000 };
            run.history.commits.push(CommitTimes { stream: 0, at, times: times.clone() });
            run.history.commits.push(CommitTimes { stream: 1, at, times: vec![(0, 0, 5), (0, 1, 4)] });
            let found = check(&run.case());
            assert_eq!(found.len(), expected, "{times:?}: {found:?}");
        }
    }
}
