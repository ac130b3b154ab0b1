//! Reading the body of a request. All bodies that an isolate holds count together; where there is no room for another
//! one, its request is refused.

use super::config::EdgeConfig;
use crate::mutant::mutated;
use crate::protocol::limits::{UPLOAD_MS, WATCHED_UPLOAD};
use crate::protocol::{Headers, header};
use crate::runtime::{EdgeEnv, Extent, HeldBody, Upload, UploadBroken, marks};

/// By how much more of a body is read at a time whose length is not declared: 64 KiB, 1 MiB, 8 MiB.
const STEP: usize = 16;

/// What became of a body.
pub(super) enum Taken<U> {
    /// The host has all of it. It counts as held until this is dropped.
    Whole(U, HeldBody),
    /// It is larger than the limit, and was dropped.
    TooLarge,
    /// There was no room for it, and it was dropped.
    NoRoom,
}

/// Reads a body of at most `limit` bytes; a larger one, and one for which there is no room, is read and dropped: a client
/// that is answered while it still sends takes its connection for broken.
pub(super) async fn take<E: EdgeEnv>(
    env: &E,
    config: &EdgeConfig,
    headers: &Headers,
    body: E::Upload,
    limit: usize,
) -> Result<Taken<E::Upload>, UploadBroken> {
    let most_bytes = if mutated!(BodiesUncounted) { usize::MAX } else { config.memory.bodies_bytes };
    let declared = declared_within(headers, limit);
    let mut room = declared.unwrap_or(WATCHED_UPLOAD.min(limit));
    let Some(held) = env.held_bodies().hold(room, most_bytes, || env.now_ms()) else {
        body.drain().await;
        return Ok(Taken::NoRoom);
    };
    // What is small and declared comes at once: a timer for each would cost more than it is worth.
    let within_ms = (!is_declared_within(headers, WATCHED_UPLOAD)).then_some(UPLOAD_MS);
    loop {
        match body.read(declared.is_none().then_some(room), within_ms).await? {
            Extent::Whole => return Ok(Taken::Whole(body, held)),
            // An earlier task of the request has found no room for it.
            Extent::Dropped => return Ok(Taken::NoRoom),
            Extent::Beyond => {}
        }
        let refused = if room >= limit {
            Taken::TooLarge
        } else {
            room = room.saturating_mul(STEP).min(limit);
            if held.grow(room, most_bytes, || env.now_ms()) {
                continue;
            }
            env.sometimes(marks::BODY_FOUND_NO_ROOM_HALF_WAY);
            Taken::NoRoom
        };
        // Nothing of it is kept from here on, and it may take long to come to its end.
        drop(held);
        body.drain().await;
        return Ok(refused);
    }
}

/// Holds the body of a request that is served anew, whose call is under way: it is there, whether there is room or not.
pub(super) fn hold_again<E: EdgeEnv>(env: &E, headers: &Headers, limit: usize) -> Option<HeldBody> {
    env.held_bodies().hold(declared_within(headers, limit).unwrap_or(limit), usize::MAX, || env.now_ms())
}

/// Whether the request declares a length of its body that is within the limit. HTTP delivers no more than that.
pub(super) fn is_declared_within(headers: &Headers, limit: usize) -> bool {
    declared_within(headers, limit).is_some()
}

fn declared_within(headers: &Headers, limit: usize) -> Option<usize> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    declared.filter(|length| *length <= limit)
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Scripted, config};
    use super::*;
    use crate::protocol::MemoryLimits;
    use crate::runtime::Isolate as _;

    /// Takes a body of so many bytes, its length declared or not, where so many bytes are held already and 1,000,000 may
    /// be. Returns what became of it in a word, the notes, and how many bytes are held afterwards.
    fn check(bytes: usize, is_declared: bool, before: usize, expected: (&str, &[&str], usize)) {
        let env = Scripted::new([]);
        let memory = MemoryLimits { bodies_bytes: 1_000_000, ..MemoryLimits::default() };
        let config = EdgeConfig { memory, ..config() };
        let _before = env.held_bodies().hold(before, usize::MAX, || env.now_ms());
        let mut headers = Headers::default();
        if is_declared {
            headers.push(header::CONTENT_LENGTH, bytes.to_string());
        }
        let taken = Scripted::run(take(&env, &config, &headers, env.upload(bytes, false), 500_000));
        let word = match taken.expect("it waits for nothing but the script").expect("a body") {
            Taken::Whole(..) => "whole",
            Taken::TooLarge => "too large",
            Taken::NoRoom => "no room",
        };
        let notes = env.notes();
        let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        assert_eq!((word, notes.as_slice(), env.held_bodies().bytes()), expected, "{bytes} {is_declared} {before}");
        // What is dropped takes nobody's room meanwhile, however slowly it comes.
        assert_eq!(env.held_at_drain(), notes.contains(&"drain").then_some(before), "{bytes} {is_declared} {before}");
    }

    #[test]
    fn a_body_is_read_only_if_there_is_room_for_it_and_is_read_and_dropped_else() {
        check(400_000, true, 600_000, ("whole", &["read all"], 600_000));
        check(400_000, true, 600_001, ("no room", &["drain"], 600_001));
        check(500_001, true, 0, ("too large", &["read 65536", "read 500000", "drain"], 0));
        check(0, true, 1_000_000, ("whole", &["read all"], 1_000_000));
        check(1, true, 1_000_000, ("no room", &["drain"], 1_000_000));
    }

    #[test]
    fn a_body_of_undeclared_length_is_given_room_step_by_step() {
        check(65_536, false, 934_464, ("whole", &["read 65536"], 934_464));
        check(65_536, false, 934_465, ("no room", &["drain"], 934_465));
        check(65_537, false, 500_000, ("whole", &["read 65536", "read 500000"], 500_000));
        check(65_537, false, 500_001, ("no room", &["read 65536", "drain"], 500_001));
        check(500_001, false, 0, ("too large", &["read 65536", "read 500000", "drain"], 0));
    }

    #[test]
    fn a_body_counts_until_it_is_let_go_and_one_that_breaks_off_does_not() {
        let env = Scripted::new([]);
        let (config, headers) = (config(), Headers::default());
        let take = |breaks| take(&env, &config, &headers, env.upload(3, breaks), 4);
        assert!(matches!(Scripted::run(take(true)), Some(Err(UploadBroken))));
        assert_eq!(env.held_bodies().bytes(), 0);
        let taken = Scripted::run(take(false));
        assert_eq!(env.held_bodies().bytes(), 4);
        drop(taken);
        assert_eq!(env.held_bodies().bytes(), 0);
    }
}
