//! What is stored, by arithmetic: every message for as long as it is kept, and each stream's own rows.

use super::workload::Workload;
use crate::bill::{Cause, MONTH_S, Meter, Usage};
use crate::tailrace::Settings;

/// Bytes of the database of a stream with hardly a message (measured by
/// [`tests::the_database_of_a_stream_with_one_message_is_as_large_as_is_said`]).
const EMPTY_BYTES: f64 = 20_480.0;

/// What a month's storage is, for an average hour of it times its hours.
pub(super) fn stored(workload: &Workload) -> Usage {
    let limits = Settings::default().limits;
    let bytes = workload.message_bytes as f64;
    let hours = MONTH_S / 3_600.0;
    // Of a stream that is written to, a segment is open, half full on average; what was sealed is in R2.
    let segment = (limits.segment_rows as f64 * bytes).min(limits.segment_bytes as f64);
    let kept = workload.writes_a_month() / 30.0 * workload.kept_days * bytes;
    let of_stream = kept / workload.streams as f64;
    let hot = of_stream.min(segment / 2.0);
    let active = workload.streams as f64 * (EMPTY_BYTES + hot);
    let idle = workload.idle_streams as f64 * EMPTY_BYTES;
    let mut usage = Usage::default();
    let bytes_for = |bytes: f64| (bytes * hours).round() as u64;
    usage.add(Cause::Storage, Meter::SqliteByteHours, bytes_for(active + idle));
    usage.add(Cause::Storage, Meter::R2ByteHours, bytes_for((of_stream - hot) * workload.streams as f64));
    usage
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::life;

    #[test]
    fn the_database_of_a_stream_with_one_message_is_as_large_as_is_said() {
        let bytes = life::database_bytes() as f64;
        assert!((bytes / EMPTY_BYTES - 1.0).abs() < 0.1, "{bytes}");
    }

    #[test]
    fn what_is_kept_is_in_r2_but_for_the_open_segment() {
        let of = |text: &str| {
            let mut workload = Workload::default();
            workload.read(text).expect("a workload");
            let usage = stored(&workload);
            [Meter::SqliteByteHours, Meter::R2ByteHours].map(|meter| usage.total(meter) as f64 / 720.0)
        };
        let near = |[sqlite, r2]: [f64; 2], expected: [f64; 2]| {
            assert!((sqlite - expected[0]).abs() < 1.0 && (r2 - expected[1]).abs() < 1.0, "{sqlite} {r2}");
        };
        // 4 MiB are a segment, or 8,192 rows.
        near(of("message_bytes 1000"), [EMPTY_BYTES + 2_097_152.0, 2_592_000_000.0 - 2_097_152.0]);
        near(of("message_bytes 100"), [EMPTY_BYTES + 409_600.0, 259_200_000.0 - 409_600.0]);
        near(of("message_bytes 1000\nkept_days 0"), [EMPTY_BYTES, 0.0]);
        near(of("writes_per_second 0\nidle_streams 1000000"), [1_000_001.0 * EMPTY_BYTES, 0.0]);
    }
}
