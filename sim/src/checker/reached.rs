//! What a history reached that only its public side shows.

use super::case::Case;
use crate::history::{Call, History, Op};

/// A producer's retry was answered as a duplicate after the first answer had been lost.
pub const LOST_ANSWER_RETRIED: &str = "lost_answer_retried";
/// A page ended inside an append.
pub const PAGE_ENDED_INSIDE_BATCH: &str = "page_ended_inside_batch";
/// An append came within a second of its stream's end.
pub const EXPIRY_RACED_APPEND: &str = "expiry_raced_append";
/// A stream was created again at the same URL, and an offset of its predecessor was read.
pub const OLD_OFFSET_GONE: &str = "old_offset_gone";
/// A zombie producer was fenced.
pub const ZOMBIE_FENCED: &str = "zombie_fenced";

/// The marks of a history, each once however often it was reached.
pub fn reached(history: &History) -> Vec<&'static str> {
    let mut marks = Vec::new();
    for case in (0..history.streams.len()).map(|stream| Case::new(history, stream)) {
        let any = |is: &dyn Fn(&Op) -> bool| case.iter().any(|(_, op)| is(op));
        let reached = [
            (LOST_ANSWER_RETRIED, any(&|op| is_retried(&case, op))),
            (PAGE_ENDED_INSIDE_BATCH, ends_inside_batch(&case)),
            (EXPIRY_RACED_APPEND, any(&|op| races_expiry(&case, op))),
            (OLD_OFFSET_GONE, any(&|op| op.status() == Some(410))),
            (ZOMBIE_FENCED, any(&|op| op.status() == Some(403))),
        ];
        marks.extend(reached.into_iter().filter(|(_, reached)| *reached).map(|(mark, _)| mark));
    }
    marks.sort_unstable();
    marks.dedup();
    marks
}

fn is_retried(case: &Case<'_>, op: &Op) -> bool {
    let Some(batch) = op.batch().filter(|batch| case.history.batches[*batch].stamp.is_some()) else { return false };
    let lost_before = |other: &Op| other.definite().is_none() && other.invoked < op.invoked;
    op.status() == Some(204) && case.carriers(batch).any(|(_, other)| lost_before(other))
}

fn ends_inside_batch(case: &Case<'_>) -> bool {
    case.log
        .pages
        .iter()
        .any(|page| case.log.placed.iter().any(|placed| placed.start < page.to && page.to < placed.end))
}

fn races_expiry(case: &Case<'_>, op: &Op) -> bool {
    let Some(ended) = op.ended.filter(|_| matches!(op.call, Call::Append { .. })) else { return false };
    let index = case.iter().find(|(_, other)| other.invoked == op.invoked).map(|(index, _)| index);
    let end_ms = case.latest_end_ms(index, ended);
    op.definite().is_some() && end_ms.is_some_and(|end_ms| end_ms.abs_diff(op.invoked.ms) < 1_000)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, acked, coded, created, duplicate, page, part, refused, written};
    use super::*;
    use crate::history::Lifetime;

    #[test]
    fn marks_are_read_from_answers() {
        let mut run = Fixture::json();
        run.create(Lifetime::Ttl(40), created(0));
        run.append(2, acked(0, 2));
        run.walk(&[0], page(0, 2));
        assert_eq!(reached(&run.history), [""; 0]);
        run.produce(0, 0, None);
        run.retry(1, duplicate(0, 3, 0));
        run.produce(1, 0, written(0, 4));
        run.produce(0, 1, coded(403, "stale_epoch"));
        run.walk_messages(&[(0, 0)], part(0, 1));
        run.read_at((0, 1), refused(410));
        run.wait_ms(45_000);
        run.append(1, refused(404));
        let mut all =
            [LOST_ANSWER_RETRIED, PAGE_ENDED_INSIDE_BATCH, EXPIRY_RACED_APPEND, OLD_OFFSET_GONE, ZOMBIE_FENCED];
        all.sort_unstable();
        assert_eq!(reached(&run.history), all);
    }
}
