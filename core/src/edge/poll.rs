//! The flight of a long-poll: it asks the object and, at the tail, waits on a socket for what comes.

use std::mem;

use super::config::EdgeConfig;
use super::failure::unreachable;
use super::live::{Asked, Clock, Joined, LiveRead, Pauses, await_turn, is_passing};
use crate::mutant::mutated;
use crate::protocol::cache::{AnswerKind, Cursors};
use crate::protocol::live::{LiveMessage, ReaderPosition};
use crate::protocol::{CacheControl, CachePolicy, Method, Offset, ReadFrom, Readership, Response, cursor, header};
use crate::runtime::{CallError, EdgeEnv, EdgeSocket, Reply, SocketEvent, StartedFlight, marks};

/// The answer of a flight: an object's reply, or an answer of the edge's own.
pub(super) enum Brought<E: EdgeEnv> {
    /// A reply, and not later than when the object was asked for it, by the edge's clock, in ms since the Unix epoch.
    Reply(E::Reply, u64),
    /// What the object has pushed, and not later than when, by the edge's clock, in ms since the Unix epoch.
    Pushed(Response, u64),
    /// What the edge says by itself, now.
    Own(Response),
}

impl<E: EdgeEnv> Brought<E> {
    /// The status and the header fields.
    pub(super) fn head(&self) -> Response {
        match self {
            Self::Reply(reply, _) => reply.head(),
            Self::Pushed(response, _) | Self::Own(response) => response.clone().without_body(),
        }
    }

    /// Not later than when the object made the answer, by the edge's clock, in ms since the Unix epoch; `None` for one
    /// of the edge's own.
    pub(super) fn made_ms(&self) -> Option<u64> {
        match self {
            Self::Reply(_, made_ms) | Self::Pushed(_, made_ms) => Some(*made_ms),
            Self::Own(_) => None,
        }
    }
}

/// Flies: asks the object and, at the tail, waits for a message or for the end of the wait. `asked_ms` is not later than
/// now, by the edge's clock, in ms since the Unix epoch.
pub(super) async fn fly<E: EdgeEnv>(
    env: &E,
    config: &EdgeConfig,
    live: &LiveRead,
    (asked_ms, ends_ms): (u64, u64),
    flight: Option<&E::StartedFlight>,
) -> Brought<E> {
    let interval_ms = config.live.waits.long_poll_ms;
    let (ask, buffer_bytes) = (live.clone(), config.live.buffer_bytes);
    let (policy, pauses) = (config.policy, Pauses::default());
    let (joined, touched_until_ms) = (None, None);
    let mut poll = Poll {
        env,
        ask,
        asked_ms,
        ends_ms,
        interval_ms,
        buffer_bytes,
        policy,
        flight,
        joined,
        touched_until_ms,
        pauses,
    };
    match poll.fly().await {
        Ok(landing) => landing,
        Err(error) => Brought::Own(unreachable(Method::Get, &error)),
    }
}

/// One flight under way.
struct Poll<'a, E: EdgeEnv> {
    env: &'a E,
    /// What the object is asked next.
    ask: LiveRead,
    /// Not later than when the object was asked last, by the edge's clock, in ms since the Unix epoch.
    asked_ms: u64,
    /// When the wait ends, by the edge's clock, in ms since the Unix epoch.
    ends_ms: u64,
    /// The interval of cursors after silence, in ms.
    interval_ms: u64,
    /// How many bytes may have arrived on its socket and not been taken.
    buffer_bytes: usize,
    policy: CachePolicy,
    /// The flight that others may have joined; `None` where nobody can.
    flight: Option<&'a E::StartedFlight>,
    /// The position from which it waits, and the object's clock, once it has been at the tail.
    joined: Option<(Offset, Clock)>,
    /// Until when, by the edge's clock, readers may come who need not start a sliding TTL again, in ms since the Unix
    /// epoch.
    touched_until_ms: Option<u64>,
    pauses: Pauses,
}

impl<E: EdgeEnv> Poll<'_, E> {
    async fn fly(&mut self) -> Result<Brought<E>, CallError> {
        loop {
            let failure = match self.ask.ask(self.env, self.buffer_bytes).await {
                // It has waited before, so the position asked for is one that the object has told.
                Ok(Asked::Reply(reply)) if self.joined.is_some() && is_passing(reply.head().status) => CallError::Reset,
                Ok(Asked::Reply(reply)) => return Ok(Brought::Reply(reply, self.asked_ms)),
                Err(error) if self.joined.is_none() => return Err(error),
                Err(error) => error,
                Ok(Asked::Joined(socket, joined)) => {
                    self.env.sometimes(marks::LIVE_WAITED);
                    self.touched_until_ms = joined.touched_for_ms.map(|ms| self.asked_ms + ms);
                    if let (Some(flight), Some(until_ms)) = (self.flight, self.touched_until_ms) {
                        flight.note(until_ms);
                    }
                    if mutated!(LostWakeUp) && self.joined.is_none() && !self.ask.read.from_now {
                        self.ask.read.from = ReadFrom::Now;
                        self.joined = Some((joined.position.next, joined.clock));
                        continue;
                    }
                    let (at, _) =
                        *self.joined.insert((self.joined.map_or(joined.position.next, |(at, _)| at), joined.clock));
                    self.ask.read.from = ReadFrom::At(at);
                    // What may have come on the socket meanwhile is not for a client whose token has expired.
                    if self.ask.has_expired(self.env) {
                        return Ok(Brought::Own(self.in_vain(at, joined)));
                    }
                    let joined_ms = mem::replace(&mut self.asked_ms, self.env.now_ms());
                    let left_ms = self.ends_ms.saturating_sub(self.asked_ms);
                    let wait_ms = if mutated!(PollsInsteadOfWaiting) { left_ms.min(1_000) } else { left_ms };
                    match socket.next(wait_ms).await {
                        SocketEvent::Message(message) => match LiveMessage::decode(message) {
                            Some(LiveMessage::Answer { position, answer }) => {
                                // It may have been on its way for long. For a reader ahead of the clock it names a
                                // cursor instead of its commit time.
                                let made_ms = joined_ms + joined.clock.since_ms(position.commit_ms);
                                let made_ms = made_ms.min(self.env.now_ms());
                                self.stagger().await;
                                return Ok(Brought::Pushed(self.told(position, answer), made_ms));
                            }
                            Some(told @ (LiveMessage::Pull { .. } | LiveMessage::Gone)) => {
                                self.env.sometimes(marks::LIVE_PULLED_AGAIN);
                                drop(socket);
                                if let LiveMessage::Pull { spread_ms } = told {
                                    await_turn(self.env, spread_ms, self.ends_ms).await;
                                }
                                if self.ask.has_expired(self.env) {
                                    return Ok(Brought::Own(self.in_vain(at, joined)));
                                }
                                self.asked_ms = self.env.now_ms();
                                continue;
                            }
                            _ => CallError::Exception("a message that this version does not know".to_owned()),
                        },
                        SocketEvent::TimedOut => {
                            drop(socket);
                            if wait_ms < left_ms {
                                continue;
                            }
                            return Ok(self.waited_in_vain(at, joined).await);
                        }
                        SocketEvent::Closed | SocketEvent::Overflowed => {
                            self.env.sometimes(marks::LIVE_SOCKET_LOST);
                            CallError::Reset
                        }
                    }
                }
            };
            self.pauses.pause(self.env, self.ends_ms).await;
            self.asked_ms = self.env.now_ms();
            if self.asked_ms >= self.ends_ms {
                return Err(failure);
            }
        }
    }

    /// The client's answer from what the object has pushed.
    fn told(&self, position: ReaderPosition, mut answer: Response) -> Response {
        let closed = header::is_true(answer.headers.get(header::STREAM_CLOSED));
        if !self.ask.admission.is_guarded() {
            answer.headers.remove(&[header::TAILRACE_READERS]);
        }
        if self.ask.read.from_now {
            // At another moment the same URL has another answer.
            if mutated!(TagOfNow) {
                answer.headers.remove(&[header::CACHE_CONTROL]);
            } else {
                answer.headers.remove(&[header::ETAG, header::CACHE_CONTROL]);
            }
            answer = answer.with(header::CACHE_CONTROL, CacheControl::NoStore.to_string());
        }
        let cursor = cursor::after_data(position.commit_ms + self.jitter_ms(), self.ask.read.cursor);
        let cursor = (!closed).then(|| cursor.to_string());
        answer.with_some(header::STREAM_CURSOR, cursor).with_some(header::TAILRACE_AHEAD, self.ahead_ms()).with_common()
    }

    /// The answer if nothing came. For a reader ahead of the clock the object is asked once more: it knows what readers
    /// have come meanwhile that are further ahead. The reader joins them at their cursor, and not after it: else two
    /// that come in turn would overtake each other for ever.
    async fn waited_in_vain(&self, at: Offset, joined: Joined) -> Brought<E> {
        let is_ahead = self.ask.read.cursor.is_some_and(|cursor| cursor > joined.clock.now_ms(self.env));
        if !is_ahead || self.ask.has_expired(self.env) {
            return Brought::Own(self.in_vain(at, joined));
        }
        match self.ask.ask(self.env, self.buffer_bytes).await {
            Ok(Asked::Joined(_, again)) => {
                let commit_ms = joined.position.commit_ms.max(again.position.commit_ms.saturating_sub(1));
                let position = ReaderPosition { commit_ms, ..joined.position };
                Brought::Own(self.in_vain(at, Joined { position, ..joined }))
            }
            Ok(Asked::Reply(reply)) if !is_passing(reply.head().status) => Brought::Reply(reply, self.asked_ms),
            Ok(Asked::Reply(_)) | Err(_) => Brought::Own(self.in_vain(at, joined)),
        }
    }

    /// For how many ms a copy of the answer may be served to others, who do not start a sliding TTL again.
    fn ahead_ms(&self) -> Option<String> {
        let until_ms = self.touched_until_ms.filter(|_| self.ask.caching.is_some())?;
        Some(until_ms.saturating_sub(self.env.now_ms()).to_string())
    }

    /// Waits for a moment of its own, if the policy wants those who waited not to come back all at once.
    async fn stagger(&self) {
        let Some(delays) = self.policy.stagger_ms.checked_add(1).filter(|delays| *delays > 1) else { return };
        self.env.sometimes(marks::LIVE_STAGGERED);
        self.env.sleep_ms(self.env.random() % delays).await;
    }

    /// The random part of a cursor, in ms.
    fn jitter_ms(&self) -> u64 {
        self.policy.cursors.jitter_ms(|| self.env.random())
    }

    /// The client's answer if nothing came: 204.
    fn in_vain(&self, at: Offset, joined: Joined) -> Response {
        self.env.sometimes(marks::LIVE_TIMED_OUT);
        let is_cut = self.ask.has_expired(self.env);
        if is_cut {
            self.env.sometimes(marks::LONG_POLL_ENDED_WITH_TOKEN);
        }
        let silent = cursor::after_silence(joined.clock.now_ms(self.env), self.interval_ms, self.ask.read.cursor);
        let cursor = match (self.policy.cursors, self.ask.read.cursor) {
            (Cursors::KeptInSilence, Some(kept)) => kept,
            // A reader ahead of the clock is told what others are told that are further ahead.
            _ => silent.max(joined.position.commit_ms + self.jitter_ms()),
        };
        let kept = match mutated!(SilenceIsStored) {
            true => CacheControl::NoCache,
            // At another moment the same URL has another answer. Nor is a silence kept that was as short as its client's
            // token: of such ones a cache would soon have many, and send others from one to the next.
            false if self.ask.read.from_now || is_cut => CacheControl::NoStore,
            // For no longer than an interval: who comes late would else be sent from one silence to the next.
            false => {
                let remaining_ms = joined.remaining_ms(self.env).unwrap_or(u64::MAX).min(self.interval_ms);
                self.policy.cache_control(AnswerKind::Silence, Some(remaining_ms))
            }
        };
        Response::new(204)
            .with(header::CACHE_CONTROL, kept.to_string())
            .with(header::STREAM_NEXT_OFFSET, at.to_string())
            .with(header::STREAM_UP_TO_DATE, header::TRUE)
            .with(header::STREAM_CURSOR, cursor.to_string())
            .with_some(header::TAILRACE_AHEAD, self.ahead_ms())
            .with_some(header::TAILRACE_READERS, joined.readers.as_ref().map(Readership::as_str))
            .with_common()
    }
}

#[cfg(test)]
mod tests {
    use super::super::long_poll::wait;
    use super::super::scripted::{Happens, START_MS, Says, Scripted, at, config, greeting, live};
    use super::*;
    use crate::protocol::message::Live;
    use crate::protocol::sse::Encoding;
    use crate::runtime::Isolate as _;

    fn told(position: u64, closed: bool) -> Happens {
        let answer = Response::new(200)
            .with(header::CACHE_CONTROL, "public, max-age=20")
            .with(header::ETAG, "\"x\"")
            .with(header::STREAM_NEXT_OFFSET, at(position).to_string())
            .with_some(header::STREAM_CLOSED, closed.then_some(header::TRUE))
            .with_body("data");
        let position = ReaderPosition { next: at(position), commit_ms: START_MS + position };
        Happens::Message(LiveMessage::Answer { position, answer }.encode())
    }

    /// The answer of a long-poll from the position, and the notes of the script.
    fn flown(from: ReadFrom, cursor: Option<u64>, replies: impl IntoIterator<Item = Says>) -> (Response, Vec<String>) {
        let env = Scripted::new(replies);
        Scripted::run(wait(&env, &config(), &live(from, Live::LongPoll, cursor), 0))
            .expect("it waits for nothing but the script");
        let mut notes = env.notes();
        // A poll from `now` shares no flight, so it lands none.
        let lands = notes.pop_if(|note| note.starts_with("land")).is_some();
        assert_eq!(lands, from != ReadFrom::Now);
        (env.answered().expect("an answer"), notes)
    }

    fn fields(response: &Response, names: &[&str]) -> Vec<Option<String>> {
        names.iter().map(|name| response.headers.get(name).map(str::to_owned)).collect()
    }

    #[test]
    fn what_is_there_is_answered_at_once() {
        for status in [200, 204, 304, 400, 404, 410, 500] {
            let (landing, notes) = flown(ReadFrom::Start, None, [Says::Reply(Response::new(status))]);
            assert_eq!(landing.status, status);
            assert_eq!(notes, ["ask -1"]);
        }
    }

    #[test]
    fn who_waits_is_answered_with_what_comes_and_a_cursor_above_its_own() {
        for (cursor, closed, expected) in [
            (None, false, Some("1000005")),
            (Some(7), false, Some("1000005")),
            (Some(START_MS + 5), false, Some("1000006")),
            (None, true, None),
        ] {
            let (landing, notes) =
                flown(ReadFrom::At(at(2)), cursor, [Says::Socket(vec![greeting(2), told(5, closed)])]);
            assert_eq!(notes.len(), 2, "{notes:?}");
            let names = [header::STREAM_CURSOR, header::ETAG, header::X_CONTENT_TYPE_OPTIONS];
            let expected = [expected, Some("\"x\""), Some("nosniff")];
            assert_eq!(fields(&landing, &names), expected.map(|value| value.map(str::to_owned)));
        }
    }

    #[test]
    fn what_was_pushed_says_how_long_it_was_on_its_way() {
        // When it was committed by the object's clock, which told 500 ms after the start when the reader joined, a ms
        // after that, and when it comes.
        for (committed_ms, comes_ms, age_s) in [
            (500, 0, None),
            (500, 999, None),
            (500, 1_000, Some("1")),
            (500, 1_001, Some("2")),
            (10_500, 10_999, None),
            (10_500, 11_500, Some("2")),
            (500, 19_999, Some("20")),
            // The cursor of a reader ahead of the clock.
            (600_000, 5_000, None),
        ] {
            let socket = vec![greeting(2), Happens::Quiet(comes_ms), told(committed_ms, false)];
            let (landing, _) = flown(ReadFrom::At(at(2)), None, [Says::Socket(socket)]);
            assert_eq!(landing.headers.get(header::AGE), age_s, "{committed_ms} {comes_ms}");
        }
    }

    #[test]
    fn who_waits_from_now_gets_an_answer_that_no_cache_keeps() {
        let (landing, _) = flown(ReadFrom::Now, None, [Says::Socket(vec![greeting(2), told(5, false)])]);
        let names = [header::CACHE_CONTROL, header::ETAG, header::STREAM_CURSOR];
        let expected = [Some("no-store"), None, Some("1000005")];
        assert_eq!(fields(&landing, &names), expected.map(|value| value.map(str::to_owned)));
    }

    #[test]
    fn a_poll_for_which_nothing_comes_in_twenty_seconds_gets_204_and_the_cursor_of_the_interval() {
        let (landing, notes) = flown(ReadFrom::At(at(2)), Some(7), [Says::Socket(vec![greeting(2)])]);
        assert_eq!(notes, ["ask 0000000000000000_0000000000000002 cursor 7", "close"]);
        assert_eq!(landing.status, 204);
        let names =
            [header::STREAM_CURSOR, header::STREAM_NEXT_OFFSET, header::STREAM_UP_TO_DATE, header::CACHE_CONTROL];
        let expected = ["1020000", "0000000000000000_0000000000000002", "true", "no-store"];
        assert_eq!(fields(&landing, &names), expected.map(|value| Some(value.to_owned())));
    }

    #[test]
    fn a_poll_ahead_of_the_clock_is_told_what_others_are_told_that_are_further_ahead() {
        let own = START_MS + 500_000;
        let waits = |least: u64| {
            let position = ReaderPosition { next: at(2), commit_ms: least };
            let joined = LiveMessage::Joined {
                position,
                now_ms: START_MS,
                touched_until_ms: u64::MAX,
                ends_ms: u64::MAX,
                encoding: Encoding::Text,
                readers: None,
            };
            Says::Socket(vec![Happens::Message(joined.encode())])
        };
        // What it was told when it joined, and what it is told when it has waited.
        for (then, now, expected) in
            [(own + 1, own + 1, own + 1), (own + 9, own + 9, own + 9), (own + 1, own + 9, own + 8), (0, 0, own + 1)]
        {
            let (landing, notes) = flown(ReadFrom::At(at(2)), Some(own), [waits(then), waits(now)]);
            let ask = format!("ask {} cursor {own}", at(2));
            assert_eq!(notes, [&ask, "close", &ask, "close"]);
            assert_eq!(
                (landing.status, landing.headers.get(header::STREAM_CURSOR)),
                (204, Some(expected.to_string().as_str()))
            );
        }
    }

    #[test]
    fn a_poll_ahead_of_the_clock_that_waited_in_vain_takes_what_came_then_and_no_failure() {
        let own = START_MS + 500_000;
        let waits = || Says::Socket(vec![greeting(2)]);
        for (then, status) in [
            (Says::Reply(Response::new(200)), 200),
            (Says::Reply(Response::new(410)), 410),
            (Says::Reply(Response::new(503)), 204),
            (Says::Fails, 204),
        ] {
            let (landing, _) = flown(ReadFrom::At(at(2)), Some(own), [waits(), then]);
            assert_eq!(landing.status, status);
        }
    }

    #[test]
    fn the_time_of_a_poll_that_is_served_anew_runs_from_its_arrival() {
        for (age_ms, waits_ms) in [(0, 20_000), (15_000, 5_000), (30_000, 0)] {
            let env = Scripted::new([Says::Socket(vec![greeting(2)])]);
            let read = live(ReadFrom::At(at(2)), Live::LongPoll, None);
            Scripted::run(wait(&env, &config(), &read, age_ms)).expect("it waits for nothing but the script");
            assert_eq!((env.answered().map(|answer| answer.status), env.now_ms()), (Some(204), START_MS + waits_ms));
        }
    }

    #[test]
    fn a_cut_socket_leads_back_to_the_object_as_long_as_the_wait_lasts() {
        let cut = || Says::Socket(vec![greeting(2), Happens::Cut]);
        let (landing, notes) = flown(ReadFrom::Now, None, [cut(), Says::Fails, cut(), Says::Socket(vec![greeting(2)])]);
        assert_eq!(landing.status, 204);
        let own = "ask 0000000000000000_0000000000000002";
        assert_eq!(notes, ["ask now", "close", "sleep 50", own, "sleep 100", own, "close", "sleep 200", own, "close"]);

        let (landing, notes) = flown(ReadFrom::Now, None, [cut()]);
        assert_eq!(landing.status, 503);
        let asks = notes.iter().filter(|note| note.starts_with("ask")).count();
        assert!((5..=20).contains(&asks), "{notes:?}");
    }

    #[test]
    fn what_is_too_large_to_push_or_gone_is_asked_for_at_once() {
        for message in [LiveMessage::Pull { spread_ms: 0 }, LiveMessage::Gone] {
            let told = Says::Socket(vec![greeting(2), Happens::Message(message.encode())]);
            let (landing, notes) = flown(ReadFrom::Now, None, [told, Says::Reply(Response::new(410))]);
            assert_eq!(landing.status, 410);
            assert_eq!(notes, ["ask now", "close", "ask 0000000000000000_0000000000000002"]);
        }
        let pull = LiveMessage::Pull { spread_ms: 300 }.encode();
        let told = Says::Socket(vec![greeting(2), Happens::Message(pull)]);
        let (_, notes) = flown(ReadFrom::Now, None, [told, Says::Reply(Response::new(410))]);
        assert_eq!(notes, ["ask now", "close", "sleep 300", "ask 0000000000000000_0000000000000002"]);
    }

    #[test]
    fn who_flies_notes_until_when_the_stream_is_touched_if_it_has_a_sliding_ttl() {
        // The object's clock is half a second ahead of the edge's.
        let now_ms = START_MS + 500;
        for (touched_until_ms, expected) in
            [(now_ms + 700, Some("note 1000700")), (now_ms - 1, Some("note 1000000")), (u64::MAX, None)]
        {
            let position = ReaderPosition { next: at(2), commit_ms: START_MS };
            let joined = LiveMessage::Joined {
                position,
                now_ms,
                touched_until_ms,
                ends_ms: u64::MAX,
                encoding: Encoding::Text,
                readers: None,
            };
            let says = Says::Socket(vec![Happens::Message(joined.encode()), told(5, false)]);
            let env = Scripted::new([says]);
            Scripted::run(wait(&env, &config(), &live(ReadFrom::At(at(2)), Live::LongPoll, None), 0));
            let ask = format!("ask {}", at(2));
            let notes = [&ask].into_iter().map(String::as_str).chain(expected).chain(["close", "land 200"]);
            assert_eq!(env.notes(), notes.collect::<Vec<_>>());
        }
    }

    #[test]
    fn by_a_policy_that_staggers_each_who_waited_is_told_at_a_moment_of_its_own() {
        for (policy, expected) in [("sentinel-and-stagger", true), ("sentinel", false)] {
            let policy = crate::protocol::CachePolicy::named(policy).expect("a policy");
            let config = crate::edge::EdgeConfig { policy, ..config() };
            let env = Scripted::new([Says::Socket(vec![greeting(2), told(5, false)])]);
            Scripted::run(wait(&env, &config, &live(ReadFrom::Now, Live::LongPoll, None), 0));
            assert_eq!(env.notes().iter().any(|note| note.starts_with("sleep")), expected);
        }
    }

    #[test]
    fn silence_is_told_as_the_policy_says() {
        for (name, cache_control, cursors) in [
            ("immutable-and-long-poll", "no-store", Some(1_020_000)),
            ("silence", "public, max-age=20", Some(1_020_000)),
            ("silence-without-cursors", "public, max-age=20", Some(7)),
            ("random-cursors", "no-store", Some(1_020_000)),
        ] {
            let policy = crate::protocol::CachePolicy::named(name).expect("a policy");
            let config = crate::edge::EdgeConfig { policy, ..config() };
            let env = Scripted::new([Says::Socket(vec![greeting(2)])]);
            Scripted::run(wait(&env, &config, &live(ReadFrom::At(at(2)), Live::LongPoll, Some(7)), 0));
            let answer = env.answered().expect("an answer");
            assert_eq!(answer.headers.get(header::CACHE_CONTROL), Some(cache_control), "{name}");
            let cursor = answer.headers.get(header::STREAM_CURSOR).and_then(|cursor| cursor.parse::<u64>().ok());
            assert_eq!(cursor, cursors, "{name}");
            let mut short = config.clone();
            short.live.waits.long_poll_ms = 3_000;
            let env = Scripted::new([Says::Socket(vec![greeting(2)])]);
            Scripted::run(wait(&env, &short, &live(ReadFrom::At(at(2)), Live::LongPoll, Some(7)), 0));
            let told = env.answered().expect("an answer").headers.get(header::CACHE_CONTROL).map(str::to_owned);
            assert_eq!(told, Some(cache_control.replace("20", "3")), "{name}: for an interval at most");
            let env = Scripted::new([Says::Socket(vec![greeting(2)])]);
            Scripted::run(wait(&env, &config, &live(ReadFrom::Now, Live::LongPoll, Some(7)), 0));
            let answer = env.answered().expect("an answer");
            assert_eq!(answer.headers.get(header::CACHE_CONTROL), Some("no-store"), "{name} from now");
        }
    }
}
