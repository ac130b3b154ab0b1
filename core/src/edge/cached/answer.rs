//! What all reads do with the cache of their datacenter: they look for an answer, and have theirs kept.

use crate::edge::config::EdgeConfig;
use crate::edge::failure::unreachable;
use crate::edge::live::LiveRead;
use crate::edge::poll::Brought;
use crate::mutant::mutated;
use crate::protocol::cache::EntryNote;
use crate::protocol::limits::{LOOK_UP_MS, MAX_INTEGER};
use crate::protocol::{CachePolicy, Headers, Method, Readership, Response, etag, header};
use crate::runtime::{Changes, EdgeEnv, Isolate, Reply, marks};

use super::Caching;

/// Fields that no client sees.
const INTERNAL: &[&str] = &[header::TAILRACE_AHEAD, header::TAILRACE_KEPT];

/// How an answer that an object has given is changed for the client: it says that it was not kept before, and how many
/// seconds ago it was made. It may have been on its way since. Caches in front that count the age from when an answer
/// reaches them are told so, and keep none for longer than its stream lasts.
pub(in crate::edge) fn asked(caching: Option<&Caching>, age_s: u64) -> Changes {
    let mut set = Headers::default();
    if let Some(caching) = caching {
        set.push(header::X_CACHE, if caching.looks_up { "MISS" } else { "BYPASS" });
    }
    if age_s > 0 {
        set.push(header::AGE, age_s.to_string());
    }
    Changes { set, left_out: if caching.is_some() { INTERNAL } else { &[] } }
}

/// How many seconds ago an answer was made, rounded up, if the object made it not before `made_ms`, by the edge's clock in
/// ms since the Unix epoch. 0 for less than a second, which is not worth a field.
pub(in crate::edge) fn age_s(env: &impl Isolate, made_ms: u64) -> u64 {
    match env.now_ms().saturating_sub(made_ms) {
        0..1_000 => 0,
        ago_ms => ago_ms.div_ceil(1_000),
    }
}

/// Answers from the cache, if it has an answer that is not too old. Returns whether it has.
pub(in crate::edge) async fn answer_stored<E: EdgeEnv>(
    env: &E,
    caching: &Caching,
    if_none_match: Option<&str>,
) -> bool {
    if !caching.looks_up {
        env.sometimes(marks::CACHE_BYPASSED);
        return false;
    }
    let Some(stored) = env.look_up(&caching.key, LOOK_UP_MS).await else { return false };
    let mut head = stored.head();
    let Some((changes, _)) = served(env, caching, &head) else { return false };
    let tag = head.headers.get(header::ETAG);
    if tag.is_some_and(|tag| if_none_match.is_some_and(|list| etag::names(list, tag))) {
        env.sometimes(marks::CACHE_HIT_UNCHANGED);
        changes.apply(&mut head.headers);
        head.headers.remove(&[header::CONTENT_TYPE, header::CONTENT_LENGTH]);
        env.answer(Response { status: 304, ..head });
    } else {
        env.pass_on(stored, &changes);
    }
    true
}

/// How a stored answer with this head is changed for the client, and how old it is in seconds; `None` if it is too old to be
/// served, or is not for this client.
pub(in crate::edge) fn served<E: EdgeEnv>(env: &E, caching: &Caching, head: &Response) -> Option<(Changes, u64)> {
    let is_public = || {
        let readers = head.headers.get(header::TAILRACE_READERS).and_then(Readership::parse);
        readers.is_some_and(|readers| readers.is_everybody())
    };
    if caching.public_only && !is_public() && !mutated!(PublicMarkLost) {
        env.sometimes(marks::CACHE_HAD_A_PRIVATE_ANSWER);
        return None;
    }
    let note = head.headers.get(header::TAILRACE_KEPT).and_then(EntryNote::parse);
    let age_s = note.and_then(|note| note.age_s(env.now_ms()));
    if age_s.is_none() {
        env.sometimes(marks::CACHE_HAD_AN_OLD_ANSWER);
    }
    let age_s = if mutated!(AgeIgnored) { 0 } else { age_s? };
    env.sometimes(marks::CACHE_HIT);
    let mut set = Headers::default();
    set.push(header::X_CACHE, "HIT");
    if !mutated!(AgeIgnored) {
        set.push(header::AGE, age_s.to_string());
    }
    Some((Changes { set, left_out: INTERNAL }, age_s))
}

/// The note with which the edge keeps an answer; `None` if it does not keep it. An answer is as old as its question,
/// which was asked at `asked_ms`: it may have been on its way for long, and for how long those who are served a copy need
/// not start a sliding TTL again counts from when the object answered.
pub(in crate::edge) fn admitted(
    policy: &CachePolicy,
    is_long_poll: bool,
    head: &Response,
    asked_ms: u64,
) -> Option<EntryNote> {
    let fresh_s = match policy.admits(is_long_poll, head.status, &head.headers) {
        None if mutated!(KeptBeforeTheGuard) && head.status == 200 => 20,
        fresh_s => fresh_s?,
    };
    let ahead_ms = ahead_ms(head).filter(|_| !mutated!(KeptLongerThanTouched)).unwrap_or(u64::MAX);
    let lasts_ms = (fresh_s * 1_000).min(ahead_ms);
    (lasts_ms > 0).then_some(EntryNote { answered_ms: asked_ms, lasts_ms })
}

/// For how many ms after an object's answer those who are served a copy need not start a sliding TTL again.
pub(in crate::edge) fn ahead_ms(head: &Response) -> Option<u64> {
    // No time that is added to it passes the end of time.
    head.headers.get(header::TAILRACE_AHEAD)?.parse().ok().map(|ms: u64| ms.min(MAX_INTEGER))
}

/// Stores a kept answer. Nobody waits for that: the client has its answer.
pub(in crate::edge) async fn store<E: EdgeEnv>(env: &E, caching: &Caching, kept: &E::Kept, note: EntryNote) {
    if !caching.looks_up && mutated!(NoCacheNotStored) {
        return;
    }
    env.sometimes(marks::CACHE_FILLED);
    let mut fields = Headers::default();
    fields.push(header::TAILRACE_KEPT, note.to_text());
    env.store(&caching.key, kept, &fields).await;
}

/// The answer of a flight as plain data, which requests may share, and the note with which the cache of the datacenter
/// keeps it, if it does.
pub(in crate::edge) async fn kept<E: EdgeEnv>(
    env: &E,
    config: &EdgeConfig,
    live: &LiveRead,
    brought: Brought<E>,
) -> (E::Kept, Option<EntryNote>) {
    let is_kept = live.caching.is_some();
    let note = |head: &Response, asked_ms| admitted(&config.policy, true, head, asked_ms);
    match brought {
        Brought::Pushed(response, made_ms) => {
            let note = if is_kept { note(&response, made_ms) } else { None };
            (env.keep_own(response), note)
        }
        Brought::Own(response) => {
            let note = if is_kept { note(&response, env.now_ms()) } else { None };
            (env.keep_own(response), note)
        }
        Brought::Reply(reply, asked_ms) => {
            let note = if is_kept { note(&reply.head(), asked_ms) } else { None };
            match env.keep(reply).await {
                Ok(kept) => (kept, note),
                Err(error) => (env.keep_own(unreachable(Method::Get, &error)), None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_lasts_as_long_as_its_answer_is_fresh_and_no_longer_than_the_stream_was_touched_for() {
        for (ahead_ms, lasts_ms) in [
            (None, Some(60_000)),
            (Some("7500"), Some(7_500)),
            (Some("90000"), Some(60_000)),
            (Some("0"), None),
            (Some("18446744073709551615"), Some(60_000)),
            (Some("-1"), Some(60_000)),
        ] {
            let head = Response::new(200)
                .with(header::CACHE_CONTROL, "public, max-age=60")
                .with_some(header::TAILRACE_AHEAD, ahead_ms);
            let note = admitted(&CachePolicy::default(), false, &head, 1_000_000);
            let expected = lasts_ms.map(|lasts_ms| EntryNote { answered_ms: 1_000_000, lasts_ms });
            assert_eq!(note, expected, "{ahead_ms:?}");
        }
    }
}
