//! Faults, limits and settings as named numbers, one line each: for text, and for shrinking one by one.

use crate::tailrace::{ColdSettings, MemoryLimits, StreamLimits, Waits};
use crate::world::Faults;

/// One number of `T`.
#[derive(Clone, Copy)]
pub struct Knob<T> {
    /// Its name, with its unit.
    pub name: &'static str,
    read: fn(&T) -> u64,
    write: fn(&mut T, u64),
}

impl<T> Knob<T> {
    /// Its value.
    pub fn get(&self, of: &T) -> u64 {
        (self.read)(of)
    }

    /// Sets it.
    pub fn set(&self, of: &mut T, value: u64) {
        (self.write)(of, value);
    }
}

macro_rules! knobs {
    ($(#[doc = $doc:literal])* $list:ident: $type:ty { $($name:literal: $($field:ident).+ as $kind:ident;)* }) => {
        $(#[doc = $doc])*
        pub const $list: &[Knob<$type>] = &[$(Knob {
            name: $name,
            read: |of| knobs!(@read $kind of.$($field).+),
            write: |of, value| of.$($field).+ = knobs!(@write $kind value),
        },)*];
    };
    (@read bool $value:expr) => { u64::from($value) };
    (@read $kind:ident $value:expr) => { $value as u64 };
    (@write bool $value:expr) => { $value != 0 };
    (@write $kind:ident $value:expr) => { $value as $kind };
}

knobs! {
    /// Every knob of [`Faults`].
    FAULTS: Faults {
        "client_link.latency.min_ms": network.client_link.latency.min_ms as u64;
        "client_link.latency.max_ms": network.client_link.latency.max_ms as u64;
        "client_link.request_loss_permille": network.client_link.request_loss_permille as u32;
        "client_link.response_loss_permille": network.client_link.response_loss_permille as u32;
        "object_link.latency.min_ms": network.object_link.latency.min_ms as u64;
        "object_link.latency.max_ms": network.object_link.latency.max_ms as u64;
        "object_link.request_loss_permille": network.object_link.request_loss_permille as u32;
        "object_link.response_loss_permille": network.object_link.response_loss_permille as u32;
        "client_link.slow_permille": network.client_link.slow_permille as u32;
        "client_link.slow.min_ms": network.client_link.slow.min_ms as u64;
        "client_link.slow.max_ms": network.client_link.slow.max_ms as u64;
        "object_link.slow_permille": network.object_link.slow_permille as u32;
        "object_link.slow.min_ms": network.object_link.slow.min_ms as u64;
        "object_link.slow.max_ms": network.object_link.slow.max_ms as u64;
        "call_stuck_permille": network.call_stuck_permille as u32;
        "client_leaves_permille": network.client_leaves_permille as u32;
        "client_leaves.min_ms": network.client_leaves.min_ms as u64;
        "client_leaves.max_ms": network.client_leaves.max_ms as u64;
        "distance_permille": map.distance_permille as u32;
        "object_elsewhere_permille": map.object_elsewhere_permille as u32;
        "colo_clock_off_ms": map.clock_off_ms as u64;
        "overloaded_permille": objects.overloaded_permille as u32;
        "shares_busy_isolate_permille": edge.shares_busy_isolate_permille as u32;
        "isolate_idle.min_ms": edge.isolate_idle.min_ms as u64;
        "isolate_idle.max_ms": edge.isolate_idle.max_ms as u64;
        "rate_exceeded_permille": edge.rate_exceeded_permille as u32;
        "rate_unknown_permille": edge.rate_unknown_permille as u32;
        "isolate_restart_permille": edge.isolate_restart_permille as u32;
        "crash_permille": objects.crash_permille as u32;
        "crash_awaiting_permille": objects.crash_awaiting_permille as u32;
        "crash_held_permille": objects.crash_held_permille as u32;
        "flush.min_ms": storage.flush.min_ms as u64;
        "flush.max_ms": storage.flush.max_ms as u64;
        "cold_start.min_ms": objects.cold_start.min_ms as u64;
        "cold_start.max_ms": objects.cold_start.max_ms as u64;
        "hibernate_after_ms": objects.hibernate_after_ms as u64;
        "hibernation_missed_permille": objects.hibernation_missed_permille as u32;
        "evict_after.min_ms": objects.evict_after.min_ms as u64;
        "evict_after.max_ms": objects.evict_after.max_ms as u64;
        "superseded.min_ms": objects.superseded.min_ms as u64;
        "superseded.max_ms": objects.superseded.max_ms as u64;
        "superseded_reads_fail": objects.superseded_reads_fail as bool;
        "stale_route_permille": objects.stale_route_permille as u32;
        "socket_half_dead_permille": sockets.half_dead_permille as u32;
        "instance_lost_permille": edge.instance_lost_permille as u32;
        "request_vanished_permille": edge.request_vanished_permille as u32;
        "request_vanishes.min_ms": edge.request_vanishes.min_ms as u64;
        "request_vanishes.max_ms": edge.request_vanishes.max_ms as u64;
        "client_gone_noticed_permille": edge.client_gone_noticed_permille as u32;
        "reply_broken_permille": edge.reply_broken_permille as u32;
        "flight_lost_permille": edge.flight_lost_permille as u32;
        "answer_in_pieces_permille": edge.answer_in_pieces_permille as u32;
        "answer_pause.min_ms": edge.answer_pause.min_ms as u64;
        "answer_pause.max_ms": edge.answer_pause.max_ms as u64;
        "answer_cut_permille": edge.answer_cut_permille as u32;
        "answer_lost_permille": edge.answer_lost_permille as u32;
        "alarm_late.min_ms": alarm.late.min_ms as u64;
        "alarm_late.max_ms": alarm.late.max_ms as u64;
        "alarm_early_permille": alarm.early_permille as u32;
        "alarm_early.min_ms": alarm.early.min_ms as u64;
        "alarm_early.max_ms": alarm.early.max_ms as u64;
        "alarm_duplicate_permille": alarm.duplicate_permille as u32;
        "alarm_retry_limit": alarm.retry_limit as u32;
        "alarm_cut_off_fails": alarm.cut_off_fails as bool;
        "alarm_reject_permille": alarm.reject_permille as u32;
        "statement_fails_permille": storage.statement_fails_permille as u32;
        "statement_full_permille": storage.statement_full_permille as u32;
        "database_pages": storage.database_pages as u64;
        "shares_isolate_permille": objects.shares_isolate_permille as u32;
        "object_clock_off_ms": objects.clock_off_ms as u64;
        "edge_clock_off_ms": edge.clock_off_ms as u64;
        "bucket.get.min_ms": bucket.get.min_ms as u64;
        "bucket.get.max_ms": bucket.get.max_ms as u64;
        "bucket.put.min_ms": bucket.put.min_ms as u64;
        "bucket.put.max_ms": bucket.put.max_ms as u64;
        "bucket.delete.min_ms": bucket.delete.min_ms as u64;
        "bucket.delete.max_ms": bucket.delete.max_ms as u64;
        "bucket.list.min_ms": bucket.list.min_ms as u64;
        "bucket.list.max_ms": bucket.list.max_ms as u64;
        "bucket.error_before_permille": bucket.error_before_permille as u32;
        "bucket.error_after_permille": bucket.error_after_permille as u32;
        "bucket.late_permille": bucket.late_permille as u32;
        "bucket.late.min_ms": bucket.late.min_ms as u64;
        "bucket.late.max_ms": bucket.late.max_ms as u64;
        "bucket.short_page_permille": bucket.short_page_permille as u32;
        "bucket.damaged_permille": bucket.damaged_permille as u32;
        "bucket.stuck_permille": bucket.stuck_permille as u32;
        "cache.partitions": cache.partitions as u64;
        "cache.look_up.min_ms": cache.look_up.min_ms as u64;
        "cache.look_up.max_ms": cache.look_up.max_ms as u64;
        "cache.put.min_ms": cache.put.min_ms as u64;
        "cache.put.max_ms": cache.put.max_ms as u64;
        "cache.visible.min_ms": cache.visible.min_ms as u64;
        "cache.visible.max_ms": cache.visible.max_ms as u64;
        "cache.put_lost_permille": cache.put_lost_permille as u32;
        "cache.evicted_permille": cache.evicted_permille as u32;
        "cache.look_up_fails_permille": cache.look_up_fails_permille as u32;
        "cache.look_up_stuck_permille": cache.look_up_stuck_permille as u32;
        "cache.no_zone": cache.no_zone as bool;
        "front.zone": front.zone as bool;
        "front.workers_cache": front.workers_cache as bool;
        "front.between": front.between as bool;
        "front.nodes": front.nodes as u64;
        "front.affinity_lost_permille": front.affinity_lost_permille as u32;
        "front.sub_request_permille": front.sub_request_permille as u32;
        "front.tiered": front.tiered as bool;
        "front.age_from_start": front.age_from_start as bool;
        "front.keeps_no_cache": front.keeps_no_cache as bool;
        "front.ignores_vary": front.ignores_vary as bool;
        "front.lock_wait_ms": front.lock_wait_ms as u64;
        "front.lock_age_ms": front.lock_age_ms as u64;
        "front.holds_back": front.holds_back as bool;
        "front.predicts": front.predicts as u64;
        "front.cross_version": front.cross_version as bool;
        "front.origin_unresolved_permille": front.origin_unresolved_permille as u32;
        "front.origin_gives_up.min_ms": front.origin_gives_up.min_ms as u64;
        "front.origin_gives_up.max_ms": front.origin_gives_up.max_ms as u64;
        "kv.get.min_ms": kv.get.min_ms as u64;
        "kv.get.max_ms": kv.get.max_ms as u64;
        "kv.put.min_ms": kv.put.min_ms as u64;
        "kv.put.max_ms": kv.put.max_ms as u64;
        "kv.list.min_ms": kv.list.min_ms as u64;
        "kv.list.max_ms": kv.list.max_ms as u64;
        "kv.lag.min_ms": kv.lag.min_ms as u64;
        "kv.lag.max_ms": kv.lag.max_ms as u64;
        "kv.kept.min_ms": kv.kept.min_ms as u64;
        "kv.kept.max_ms": kv.kept.max_ms as u64;
        "kv.page_keys": kv.page_keys as u64;
        "kv.error_before_permille": kv.error_before_permille as u32;
        "kv.error_after_permille": kv.error_after_permille as u32;
        "kv.late_permille": kv.late_permille as u32;
        "kv.late.min_ms": kv.late.min_ms as u64;
        "kv.late.max_ms": kv.late.max_ms as u64;
    }
}

knobs! {
    /// Every limit of a stream.
    LIMITS: StreamLimits {
        "body_bytes": body_bytes as usize;
        "row_bytes": row_bytes as usize;
        "page_bytes": page_bytes as usize;
        "segment_rows": segment_rows as u64;
        "segment_bytes": segment_bytes as u64;
        "hot_bytes": hot_bytes as u64;
        "database_bytes": database_bytes as u64;
        "producers": producers as u64;
        "producer_idle_ms": producer_idle_ms as u64;
    }
}

knobs! {
    /// What may be in the memory of an isolate at a time.
    MEMORY: MemoryLimits {
        "bodies_bytes": bodies_bytes as usize;
        "pushed_bytes": pushed_bytes as usize;
        "clients_bytes": clients_bytes as usize;
    }
}

knobs! {
    /// Every setting of the way to R2 and back.
    COLD: ColdSettings {
        "retry_min_ms": retry_min_ms as u64;
        "retry_max_ms": retry_max_ms as u64;
        "orphan_age_ms": orphan_age_ms as u64;
        "sweep_page": sweep_page as usize;
        "read_attempts": read_attempts as u32;
        "read_retry_ms": read_retry_ms as u64;
        "index_bytes": index_bytes as usize;
        "encode_rows": encoding.rows as u64;
        "encode_bytes": encoding.bytes as usize;
        "read_limit_ms": read_limit_ms as u64;
        "change_limit_ms": change_limit_ms as u64;
    }
}

knobs! {
    /// How long live reads wait.
    WAITS: Waits {
        "long_poll_ms": long_poll_ms as u64;
        "sse_ms": sse_ms as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Knobs of the faults that are 0 or 1.
    const TRUTH_VALUES: [&str; 12] = [
        "superseded_reads_fail",
        "alarm_cut_off_fails",
        "cache.no_zone",
        "front.zone",
        "front.workers_cache",
        "front.between",
        "front.tiered",
        "front.age_from_start",
        "front.keeps_no_cache",
        "front.ignores_vary",
        "front.holds_back",
        "front.cross_version",
    ];

    /// The list and the struct have to agree: whoever adds a knob to one is told here.
    #[test]
    fn every_number_of_the_faults_and_limits_is_a_knob() {
        let mut faults = Faults::default();
        let mut limits = StreamLimits::default();
        let mut cold = ColdSettings::default();
        let mut waits = Waits::default();
        for (value, knob) in (1..).zip(FAULTS) {
            knob.set(&mut faults, value);
            assert_eq!(knob.get(&faults), if TRUTH_VALUES.contains(&knob.name) { 1 } else { value }, "{}", knob.name);
        }
        for (value, knob) in (1..).zip(LIMITS) {
            knob.set(&mut limits, value);
            assert_eq!(knob.get(&limits), value, "{}", knob.name);
        }
        let mut memory = MemoryLimits::default();
        for (value, knob) in (1..).zip(MEMORY) {
            knob.set(&mut memory, value);
            assert_eq!(knob.get(&memory), value, "{}", knob.name);
        }
        assert_eq!(format!("{memory:?}").matches(": ").count(), MEMORY.len());
        for (value, knob) in (1..).zip(COLD) {
            knob.set(&mut cold, value);
            assert_eq!(knob.get(&cold), value, "{}", knob.name);
        }
        for (value, knob) in (1..).zip(WAITS) {
            knob.set(&mut waits, value);
            assert_eq!(knob.get(&waits), value, "{}", knob.name);
        }
        let numbers =
            |text: String| text.split([' ', ',', '{', '}']).filter(|word| word.parse::<u64>().is_ok()).count();
        assert_eq!(numbers(format!("{faults:?}")) + TRUTH_VALUES.len(), FAULTS.len());
        assert_eq!(numbers(format!("{limits:?}")), LIMITS.len());
        assert_eq!(numbers(format!("{cold:?}")), COLD.len());
        assert_eq!(numbers(format!("{waits:?}")), WAITS.len());
    }
}
