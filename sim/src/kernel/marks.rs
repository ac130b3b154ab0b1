//! How often marks were reached.

use std::collections::BTreeMap;

/// The output gate held an answer back.
pub const GATE_HELD_ANSWER: &str = "gate_held_answer";
/// A crash lost a write that was not yet durable.
pub const CRASH_LOST_UNCONFIRMED_WRITE: &str = "crash_lost_unconfirmed_write";
/// A crash kept a write whose durability the object never learned of.
pub const CRASH_KEPT_UNCONFIRMED_WRITE: &str = "crash_kept_unconfirmed_write";
/// An answer of a superseded instance left it.
pub const SUPERSEDED_INSTANCE_ANSWERED: &str = "superseded_instance_answered";
/// A superseded instance was reset because its storage access failed.
pub const SUPERSEDED_INSTANCE_RESET: &str = "superseded_instance_reset";
/// A hibernated object was woken by an event.
pub const HIBERNATED_AND_RESUMED: &str = "hibernated_and_resumed";
/// An evicted object was started again by an event.
pub const EVICTED_AND_RESTARTED: &str = "evicted_and_restarted";
/// A crashed object was started again by an event.
pub const CRASHED_AND_RESTARTED: &str = "crashed_and_restarted";
/// An alarm went off.
pub const ALARM_FIRED: &str = "alarm_fired";
/// An alarm started an object that was not running.
pub const ALARM_STARTED_OBJECT: &str = "alarm_started_object";
/// An alarm went off again because its handler failed or was cut off.
pub const ALARM_RETRIED: &str = "alarm_retried";
/// An alarm went off again although its handler had succeeded.
pub const ALARM_DUPLICATED: &str = "alarm_duplicated";
/// An alarm went off too early.
pub const ALARM_EARLY: &str = "alarm_early";
/// An alarm was given up after the platform's last attempt.
pub const ALARM_ABANDONED: &str = "alarm_abandoned";
/// An edge isolate restarted while it served a request.
pub const ISOLATE_RESTARTED_BUSY: &str = "isolate_restarted_busy";
/// The platform ended a request without a word.
pub const REQUEST_VANISHED: &str = "request_vanished";
/// An object's reply broke off after its head.
pub const REPLY_BROKE_OFF: &str = "reply_broke_off";
/// Those who had joined a flight were not told that it had landed.
pub const FLIGHT_LOST: &str = "flight_lost";
/// A request's handle was refused to the task of another request.
pub const OTHER_REQUEST_REFUSED: &str = "other_request_refused";
/// A request was lost on its way.
pub const REQUEST_LOST: &str = "request_lost";
/// A response was lost on its way: what was asked for has happened.
pub const RESPONSE_LOST: &str = "response_lost";
/// R2 stored an object and told its caller that it had failed.
pub const PUT_FAILED_THOUGH_STORED: &str = "put_failed_though_stored";
/// R2 stored an object long after it had told its caller that it had failed.
pub const PUT_LANDED_LATE: &str = "put_landed_late";
/// R2 stored an object whose caller was gone.
pub const PUT_OUTLIVED_ITS_CALLER: &str = "put_outlived_its_caller";
/// Two instances of an object, one superseded, were putting at once.
pub const TWO_INSTANCES_PUT_AT_ONCE: &str = "two_instances_put_at_once";
/// R2 deleted objects and told its caller that it had failed.
pub const DELETION_FAILED_THOUGH_DONE: &str = "deletion_failed_though_done";
/// A listing held fewer objects than were asked for, though more followed.
pub const LISTING_CAME_SHORT: &str = "listing_came_short";
/// A call met an outage of R2.
pub const BUCKET_WAS_DOWN: &str = "bucket_was_down";

/// The output gate held a message on a socket back.
pub const GATE_HELD_MESSAGE: &str = "gate_held_message";
/// An edge closed its end of a socket, and the object was told.
pub const SOCKET_CLOSED_BY_EDGE: &str = "socket_closed_by_edge";
/// One end of a socket went away, and the other was never told.
pub const SOCKET_HALF_DEAD: &str = "socket_half_dead";
/// A socket was cut because its object was reset.
pub const SOCKET_CUT: &str = "socket_cut";
/// An object with sockets hibernated.
pub const HIBERNATED_WITH_SOCKETS: &str = "hibernated_with_sockets";
/// A hibernated object with sockets was woken, and sent to them.
pub const WOKEN_AND_SENT: &str = "woken_and_sent";
/// The connection of a streamed answer broke.
pub const ANSWER_CUT: &str = "answer_cut";
/// The connection of a streamed answer died without anybody noticing.
pub const ANSWER_LOST: &str = "answer_lost";
/// An edge isolate restarted while it held streamed answers.
pub const ISOLATE_RESTARTED_STREAMING: &str = "isolate_restarted_streaming";

/// Counts by mark, in the order of the marks' names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<&'static str, u64>);

impl Marks {
    /// Counts one more.
    pub fn hit(&mut self, mark: &'static str) {
        *self.0.entry(mark).or_default() += 1;
    }

    /// How often that mark was reached.
    pub fn count(&self, mark: impl AsRef<str>) -> u64 {
        self.0.get(mark.as_ref()).copied().unwrap_or_default()
    }

    /// All marks that were reached.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(mark, count)| (*mark, *count))
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Self) {
        for (mark, count) in other.iter() {
            *self.0.entry(mark).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_over_runs_and_come_in_the_order_of_names() {
        let mut first = Marks::default();
        first.hit("b");
        first.hit("a");
        first.hit("b");
        let mut second = Marks::default();
        second.hit("b");
        first.merge(&second);
        assert_eq!(first.iter().collect::<Vec<_>>(), [("a", 1), ("b", 3)]);
        assert_eq!((first.count("b"), first.count("c")), (3, 0));
    }
}
