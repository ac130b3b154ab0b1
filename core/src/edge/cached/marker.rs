//! The marker of a long-poll whose answer is in the making: it keeps those of other isolates of the datacenter, which
//! miss as well, from all asking the object. They look for the answer until it is there.
//!
//! To look for a marker and to leave one are two operations, and what is stored becomes visible late. So two requests may
//! both find none, and both ask.

use super::Caching;
use crate::protocol::cache::Marker;
use crate::protocol::limits::LOOK_UP_MS;
use crate::protocol::{CacheControl, Headers, Response, header};
use crate::runtime::{EdgeEnv, marks};

/// Under which URL the marker stands for an answer that will be kept under this one.
fn marker_key(key: &str) -> String {
    format!("{key}&marker")
}

/// Whose turn it is to ask the object.
pub(in crate::edge) enum Turn<E: EdgeEnv> {
    /// This request's: it has left a marker, or its time is up.
    Own,
    /// Another's, whose answer is stored by now.
    Others(E::Reply),
}

/// Finds out whether another request makes the answer already, and waits for it then, until `until_ms` at most. If none
/// does, leaves a marker.
pub(in crate::edge) async fn take_turn<E: EdgeEnv>(
    env: &E,
    marker: Marker,
    caching: &Caching,
    until_ms: u64,
) -> Turn<E> {
    let key = marker_key(&caching.key);
    if env.look_up(&key, LOOK_UP_MS).await.is_none() {
        env.sleep_ms(env.random() % (marker.jitter_ms + 1)).await;
        if env.look_up(&key, LOOK_UP_MS).await.is_none() {
            leave(env, marker, caching).await;
            return Turn::Own;
        }
    }
    env.sometimes(marks::MARKER_FOUND);
    let until_ms = until_ms.min(env.now_ms() + marker.patience_ms);
    loop {
        if let Some(stored) = env.look_up(&caching.key, LOOK_UP_MS).await {
            return Turn::Others(stored);
        }
        let left_ms = until_ms.saturating_sub(env.now_ms());
        if left_ms == 0 {
            env.sometimes(marks::MARKER_WAITED_IN_VAIN);
            return Turn::Own;
        }
        env.sleep_ms(marker.pause_ms.min(left_ms)).await;
    }
}

/// Leaves a marker.
pub(in crate::edge) async fn leave<E: EdgeEnv>(env: &E, marker: Marker, caching: &Caching) {
    env.sometimes(marks::MARKER_LEFT);
    let stands = CacheControl::Public { max_age_s: marker.stands_s, shared_s: None, stale_s: None };
    let kept = env.keep_own(Response::new(200).with(header::CACHE_CONTROL, stands.to_string()));
    env.store(&marker_key(&caching.key), &kept, &Headers::NONE).await;
}

/// Removes the marker: the answer is there, or there is none to wait for.
pub(in crate::edge) async fn remove<E: EdgeEnv>(env: &E, caching: &Caching) {
    env.remove(&marker_key(&caching.key)).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::scripted::{START_MS, Scripted};
    use crate::runtime::Isolate as _;

    const KEY: &str = "http://localhost/.tailrace/2/_default/a?offset=-1&live=long-poll";
    const MARKER: Marker = Marker { jitter_ms: 20, pause_ms: 50, patience_ms: 120, stands_s: 30 };

    /// Takes a turn by a cache that has these entries. Returns whether the answer is another's, how long it took, in
    /// ms, and the notes.
    fn turn(has_marker: bool, has_answer: bool, until_ms: u64) -> (bool, u64, Vec<String>) {
        let mut env = Scripted::new([]);
        if has_marker {
            env = env.with_stored(&marker_key(KEY), Response::new(200));
        }
        if has_answer {
            env = env.with_stored(KEY, Response::new(200));
        }
        let caching = Caching { key: KEY.to_owned(), looks_up: true, public_only: false };
        let turn = Scripted::run(take_turn(&env, MARKER, &caching, START_MS + until_ms)).expect("it ends");
        (matches!(turn, Turn::Others(_)), env.now_ms() - START_MS, env.notes())
    }

    #[test]
    fn the_first_leaves_a_marker_and_the_others_look_for_the_answer_until_their_time_is_up() {
        for (has_marker, has_answer, until_ms, is_others, took_ms, notes) in [
            (false, false, 20_000, false, 0, &["sleep 0", "store"][..]),
            (true, true, 20_000, true, 0, &[]),
            (true, false, 20_000, false, 120, &["sleep 50", "sleep 50", "sleep 20"]),
            (true, false, 70, false, 70, &["sleep 50", "sleep 20"]),
            (true, false, 0, false, 0, &[]),
        ] {
            let (others, took, noted) = turn(has_marker, has_answer, until_ms);
            assert_eq!((others, took), (is_others, took_ms), "{has_marker} {has_answer} {until_ms}");
            assert_eq!(noted, notes);
        }
    }

    #[test]
    fn a_marker_stands_for_so_long_and_is_removed() {
        let env = Scripted::new([]);
        let caching = Caching { key: KEY.to_owned(), looks_up: true, public_only: false };
        Scripted::run(leave(&env, MARKER, &caching)).expect("it ends");
        let stored = env.stored(&marker_key(KEY)).expect("a marker");
        assert_eq!(stored.headers.get(header::CACHE_CONTROL), Some("public, max-age=30"));
        Scripted::run(remove(&env, &caching)).expect("it ends");
        assert_eq!(env.stored(&marker_key(KEY)), None);
    }
}
