//! Long-polls. Identical ones of an isolate share one flight (`runtime::StartedFlight`): the first asks the object and
//! waits on the socket, the others wait for its answer.

use super::cached::marker::Turn;
use super::cached::{self, bridge, marker};
use super::config::EdgeConfig;
use super::live::LiveRead;
use super::poll::{Brought, fly};
use crate::protocol::cache::Collapse;
use crate::runtime::{EdgeEnv, JoinedFlight, Kept, Landing, Reply, Sharing, StartedFlight, marks};

/// The first status that is a refusal.
const REFUSED: u16 = 400;

/// How much longer than a wait lasts a reader waits for a flight that it has joined, in ms. Our choice: the flight
/// began before the reader came, so its own wait ends first, and this leaves time for its last call of the object.
const FLIGHT_GRACE_MS: u64 = 3_000;

/// How old the answer of a flight may be, in ms, for a reader that has joined it: as long as a flight lasts from which
/// nothing was late. One whose call of the object takes longer may bring what was true when it began; one that is lost
/// brings nothing.
pub(super) fn oldest_flight_ms(config: &EdgeConfig) -> u64 {
    config.live.waits.long_poll_ms + FLIGHT_GRACE_MS
}

/// Answers a long-poll, if possible by the flight of an identical one.
///
/// Its time runs from its arrival, which is `age_ms` ago, whether it flies or has joined a flight: if a flight is lost,
/// those who have joined it wait at most [`FLIGHT_GRACE_MS`] longer. A flight that is too old is neither joined nor
/// waited for any longer: the reader shares another one for the rest of its time. Where its token expires before, its time
/// ends then, and it leaves a flight on which others go on waiting.
pub(super) async fn wait<E: EdgeEnv>(env: &E, config: &EdgeConfig, live: &LiveRead, age_ms: u64) {
    let came_ms = env.now_ms();
    let arrived_ms = came_ms.saturating_sub(age_ms);
    let ends_ms = live.end_ms(came_ms + config.live.waits.long_poll_ms.saturating_sub(age_ms));
    if let Some(caching) = &live.caching
        && cached::answer_stored(env, caching, live.read.if_none_match.as_deref()).await
    {
        return;
    }
    let Some(key) = live.flight_key() else {
        return answer(env, live, fly(env, config, live, (arrived_ms, ends_ms), None).await);
    };
    let mut asks_ms = arrived_ms;
    let mut is_second = false;
    loop {
        let (flight, room_ms) = match env.share(&key) {
            Sharing::Started(flight) => {
                // Others may have joined it when its client goes.
                env.outlive_client();
                return lead(env, config, live, (asks_ms, ends_ms), flight).await;
            }
            Sharing::Joined { flight, age_ms } if age_ms >= oldest_flight_ms(config) => {
                env.sometimes(marks::LIVE_FLIGHT_TOO_OLD);
                flight.give_up();
                continue;
            }
            Sharing::Joined { flight, age_ms } => (flight, oldest_flight_ms(config) - age_ms),
        };
        env.sometimes(marks::LIVE_FLIGHT_SHARED);
        // The cache may have taken long to say that it has nothing.
        let now_ms = env.now_ms();
        let left_ms = ends_ms.saturating_sub(now_ms);
        let waits_until_ms = live.end_ms(now_ms + room_ms.min(left_ms + FLIGHT_GRACE_MS));
        match joined(env, &flight, arrived_ms, now_ms, waits_until_ms.saturating_sub(now_ms)).await {
            // The flight began before this request came. What it was refused for may have changed since: the stream may
            // have been created. So the first refusal is not taken; a second flight began after this request came.
            Flown::Landed(kept, age_s) if is_second || kept.status() < REFUSED => {
                return env.answer_kept(kept, &cached::asked(live.caching.as_ref(), age_s));
            }
            Flown::Landed(..) => {
                env.sometimes(marks::LIVE_FLIGHT_RETRIED);
                is_second = true;
            }
            Flown::TooEarly => {
                env.sometimes(marks::LIVE_FLIGHT_TOUCHED_TOO_EARLY);
                flight.give_up();
            }
            Flown::Lost => {
                let up_ms = env.now_ms();
                if live.until_ms.is_none_or(|until_ms| up_ms < until_ms) {
                    env.sometimes(marks::LIVE_FLIGHT_GIVEN_UP);
                    flight.give_up();
                }
                if up_ms >= ends_ms {
                    // The time is up: this asks the object once, and answers what is there by now.
                    return answer(env, live, fly(env, config, live, (up_ms, ends_ms), None).await);
                }
            }
        }
        asks_ms = env.now_ms();
    }
}

/// Serves the request that has started a flight: brings the answer, lands, and has it kept. Where the policy has
/// markers, those of other isolates do without the object.
async fn lead<E: EdgeEnv>(
    env: &E,
    config: &EdgeConfig,
    live: &LiveRead,
    (asks_ms, ends_ms): (u64, u64),
    flight: E::StartedFlight,
) {
    let marked = live
        .caching
        .as_ref()
        .zip(config.policy.collapse.marker())
        .filter(|(caching, _)| caching.looks_up && !caching.public_only);
    if let Some((caching, marker)) = marked
        && let Turn::Others(stored) = marker::take_turn(env, marker, caching, ends_ms).await
        && let Some((changes, age_s)) = cached::served(env, caching, &stored.head())
        && let Ok(kept) = env.keep(stored).await
    {
        flight.land(&kept, age_s);
        return env.answer_kept(kept, &changes);
    }
    // Who has waited for others asks later.
    let asks_ms = if marked.is_some() { env.now_ms() } else { asks_ms };
    let brought = fly(env, config, live, (asks_ms, ends_ms), Some(&flight)).await;
    let made_ms = brought.made_ms();
    let head = marked.map(|_| brought.head());
    let (kept, note) = cached::kept(env, config, live, brought).await;
    let age_s = made_ms.map_or(0, |made_ms| cached::age_s(env, made_ms));
    flight.land(&kept, age_s);
    env.answer_kept(kept.clone(), &cached::asked(live.caching.as_ref(), age_s));
    if let Some((caching, note)) = live.caching.as_ref().zip(note) {
        cached::store(env, caching, &kept, note).await;
    }
    let Some(((caching, marker), head)) = marked.zip(head) else { return };
    marker::remove(env, caching).await;
    if let Collapse::Bridge(_, lasts_ms) = config.policy.collapse {
        bridge::go_on(env, config, live, &head, marker, env.now_ms() + lasts_ms).await;
    }
}

/// What became of a flight that a request has joined.
enum Flown<K> {
    /// Its answer, and how many seconds old that is.
    Landed(K, u64),
    /// It has started a sliding TTL again, but so early that the stream may end too early for this request, which has to
    /// ask the object itself. Those who come next had better share its flight.
    TooEarly,
    /// It did not land in time.
    Lost,
}

/// Waits for the flight that a request has joined which arrived at `arrived_ms`, from `now_ms` for at most `wait_ms`.
async fn joined<E: EdgeEnv>(
    env: &E,
    flight: &E::JoinedFlight,
    arrived_ms: u64,
    now_ms: u64,
    wait_ms: u64,
) -> Flown<E::Kept> {
    let mut left_ms = wait_ms;
    loop {
        match flight.landing(left_ms).await {
            Landing::Landed { kept, age_s } => return Flown::Landed(kept, age_s),
            Landing::Noted(until_ms) if arrived_ms > until_ms => return Flown::TooEarly,
            Landing::Noted(_) => left_ms = (now_ms + wait_ms).saturating_sub(env.now_ms()),
            Landing::TimedOut => return Flown::Lost,
        }
    }
}

/// Answers the client of a long-poll that shares no flight.
fn answer<E: EdgeEnv>(env: &E, live: &LiveRead, brought: Brought<E>) {
    let age_s = brought.made_ms().map_or(0, |made_ms| cached::age_s(env, made_ms));
    let changes = cached::asked(live.caching.as_ref(), age_s);
    match brought {
        Brought::Reply(reply, _) => env.pass_on(reply, &changes),
        Brought::Pushed(mut response, _) | Brought::Own(mut response) => {
            changes.apply(&mut response.headers);
            env.answer(response);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{START_MS, Says, Scripted, UnderWay, config, greeting, live};
    use super::*;
    use crate::protocol::message::Live;
    use crate::protocol::{ReadFrom, Response, header};
    use crate::runtime::Isolate as _;

    /// A long-poll that joins flights with these outcomes in turn (`None` is a lost one): its status, and the notes.
    fn check_shared(replies: Vec<Says>, flights: Vec<Option<u16>>, status: u16, expected: &[&str]) {
        check_aged(replies, flights.into_iter().map(|status| (0, status)).collect(), status, expected);
    }

    /// The same for flights of these ages in ms. Returns how long the long-poll took, in ms.
    fn check_aged(replies: Vec<Says>, flights: Vec<(u64, Option<u16>)>, status: u16, expected: &[&str]) -> u64 {
        let under_way = |(age_ms, status): (_, Option<u16>)| UnderWay {
            age_ms,
            brings: status.map(Response::new),
            ..UnderWay::default()
        };
        check_under_way(replies, flights.into_iter().map(under_way).collect(), status, expected)
    }

    fn check_under_way(replies: Vec<Says>, flights: Vec<UnderWay>, status: u16, expected: &[&str]) -> u64 {
        let env = Scripted::new(replies).with_flights(flights);
        Scripted::run(wait(&env, &config(), &live(ReadFrom::Start, Live::LongPoll, None), 0));
        assert_eq!((env.answered().map(|response| response.status), env.notes()), (Some(status), owned(expected)));
        env.now_ms() - START_MS
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn who_joins_a_flight_takes_its_answer_but_no_refusal_of_one_that_began_before() {
        let found = || Says::Reply(Response::new(200));
        check_shared(vec![], vec![Some(200)], 200, &[]);
        check_shared(vec![], vec![Some(304)], 304, &[]);
        check_shared(vec![found()], vec![Some(404)], 200, &["ask -1", "land 200"]);
        check_shared(vec![found()], vec![Some(503)], 200, &["ask -1", "land 200"]);
        check_shared(vec![], vec![Some(503), Some(404)], 404, &[]);
    }

    #[test]
    fn an_answer_says_how_long_it_was_on_its_way_and_not_for_how_long_its_reader_waited() {
        let age = |from, replies: Vec<Says>, flights| {
            let env = Scripted::new(replies).with_flights(flights);
            Scripted::run(wait(&env, &config(), &live(from, Live::LongPoll, None), 0));
            env.answered().and_then(|answer| answer.headers.get(header::AGE).map(str::to_owned))
        };
        let late = |ms| vec![Says::Late(Response::new(200), ms)];
        for from in [ReadFrom::Start, ReadFrom::Now] {
            assert_eq!(age(from, late(999), vec![]), None);
            assert_eq!(age(from, late(1_001), vec![]), Some("2".to_owned()));
            assert_eq!(age(from, vec![Says::Socket(vec![greeting(2)])], vec![]), None, "20 s, and nothing has come");
        }
        let brings = |status, brings_age_s| UnderWay {
            age_ms: 15_000,
            brings: Some(Response::new(status)),
            brings_age_s,
            ..UnderWay::default()
        };
        assert_eq!(age(ReadFrom::Start, vec![], vec![brings(200, 0)]), None);
        assert_eq!(age(ReadFrom::Start, vec![], vec![brings(200, 3)]), Some("3".to_owned()));
        // It asks itself when a flight has been lost, or when its own time is up.
        let lost = |age_ms| UnderWay { age_ms, ..UnderWay::default() };
        assert_eq!(age(ReadFrom::Start, late(0), vec![lost(15_000)]), None);
        assert_eq!(age(ReadFrom::Start, late(0), vec![lost(0)]), None);
    }

    #[test]
    fn a_flight_that_was_lost_is_given_up_when_the_readers_own_time_is_up_and_the_object_is_asked_once() {
        let found = Says::Reply(Response::new(200));
        check_shared(vec![found], vec![None], 200, &["give up", "ask -1"]);
        check_shared(vec![Says::Fails], vec![None], 503, &["give up", "ask -1"]);
        let at_the_tail = Says::Socket(vec![greeting(2)]);
        check_shared(vec![at_the_tail], vec![None], 204, &["give up", "ask -1", "close"]);
        // First a refusal, then a flight that is lost.
        check_shared(vec![Says::Fails], vec![Some(404), None], 503, &["give up", "ask -1"]);
    }

    #[test]
    fn a_flight_is_neither_joined_nor_waited_for_once_it_is_older_than_a_wait_and_its_grace() {
        let found = || Says::Reply(Response::new(204));
        assert_eq!(check_aged(vec![], vec![(22_999, Some(200))], 200, &[]), 0);
        assert_eq!(check_aged(vec![found()], vec![(23_000, Some(200))], 204, &["give up", "ask -1", "land 204"]), 0);
        // It is lost, and the reader's own time is not up: the rest of it is another flight's.
        let lost = vec![(15_000, None)];
        assert_eq!(check_aged(vec![found()], lost.clone(), 204, &["give up", "ask -1", "land 204"]), 8_000);
        let then = |age_ms, brought| [lost.clone(), vec![(age_ms, brought)]].concat();
        assert_eq!(check_aged(vec![], then(2_000, Some(200)), 200, &["give up"]), 8_000);
        // The second is lost, too: its own time and the grace are up before the flight is too old.
        let asks_itself = ["give up", "give up", "ask -1"];
        assert_eq!(check_aged(vec![found()], then(2_000, None), 204, &asks_itself), 23_000);
        let at_the_tail = Says::Socket(vec![greeting(2)]);
        assert_eq!(check_aged(vec![at_the_tail], lost, 204, &["give up", "ask -1", "close", "land 204"]), 20_000);
    }

    #[test]
    fn who_joins_a_flight_that_has_touched_the_stream_too_early_for_it_asks_by_itself() {
        let found = || vec![Says::Reply(Response::new(204))];
        let brings = Some(Response::new(200));
        let asks_itself = ["give up", "ask -1", "land 204"];
        for (until_ms, status, expected) in
            [(START_MS - 1, 204, &asks_itself[..]), (START_MS, 200, &[]), (u64::MAX, 200, &[])]
        {
            let under_way = UnderWay { noted: Some(until_ms), brings: brings.clone(), ..UnderWay::default() };
            check_under_way(found(), vec![under_way], status, expected);
        }
    }

    #[test]
    fn a_flight_that_fails_lands_so_that_nobody_waits_for_it() {
        check_shared(vec![Says::Fails], vec![], 503, &["ask -1", "land 503"]);
        check_shared(vec![Says::Torn(Response::new(200))], vec![], 503, &["ask -1", "land 503"]);
    }
}
