//! Long-polls: one flight for all identical ones of an isolate.

use super::live::{Ask, Asked, Clock, LiveRead, Pauses, is_passing};
use super::{EdgeConfig, unreachable};
use crate::mutant::mutated;
use crate::protocol::live::{Answer, LiveMessage, Position};
use crate::protocol::{CacheControl, Offset, ReadFrom, cursor, header};
use crate::runtime::{CallError, EdgeEnv, EdgeSocket, Flights, Landing, Method, Response, SocketEvent, marks};

/// Answers a long-poll, by the flight of another one if there is one.
pub(super) async fn answer<E: Flights>(env: &E, config: &EdgeConfig, live: &LiveRead) -> Response {
    let fly = || flight(env.clone(), config.clone(), live.clone());
    let landing = match live.flight_key() {
        None => fly().await,
        Some(key) => {
            let shared = env.share(key.clone(), fly()).await;
            if shared.joined {
                env.sometimes(marks::LIVE_FLIGHT_SHARED);
            }
            match shared.landing {
                // It was another's that failed, perhaps with the request that brought it, or was refused: since it left,
                // and before this request came, the stream may have been created. What begins now is not older.
                landing if shared.joined && !is_good(&landing) => {
                    env.sometimes(marks::LIVE_FLIGHT_RETRIED);
                    env.share(key, fly()).await.landing
                }
                landing => landing,
            }
        }
    };
    landing.unwrap_or_else(|error| unreachable(config, Method::Get, &error))
}

fn is_good(landing: &Landing) -> bool {
    landing.as_ref().is_ok_and(|response| response.status < 400)
}

/// One flight: asks the object and, at the tail, waits for what comes or for the time to pass.
pub async fn flight<E: EdgeEnv>(env: E, config: EdgeConfig, live: LiveRead) -> Landing {
    let Some(ask) = Ask::new(&live) else {
        return Err(CallError::Exception("a live read that is none".to_owned()));
    };
    let ends_ms = env.now_ms() + config.live.waits.long_poll_ms;
    let interval_ms = config.live.waits.long_poll_ms;
    let from_now = ask.read.from == ReadFrom::Now;
    let mut poll = Poll { env, ask, ends_ms, interval_ms, from_now, joined: None, pauses: Pauses::default() };
    poll.fly().await
}

struct Poll<E: EdgeEnv> {
    env: E,
    ask: Ask,
    /// When the wait ends, by the edge's clock.
    ends_ms: u64,
    /// The interval of cursors.
    interval_ms: u64,
    /// Whether the client waits for what comes behind a tail that it does not know.
    from_now: bool,
    /// Where it waits, and the object's clock, once it has joined.
    joined: Option<(Offset, Clock)>,
    pauses: Pauses,
}

impl<E: EdgeEnv> Poll<E> {
    async fn fly(&mut self) -> Landing {
        loop {
            let failure = match self.ask.send(&self.env).await {
                // Not the first answer: there was something to wait for, and its end was a position.
                Ok(Asked::Answer(response)) if self.joined.is_some() && is_passing(&response) => CallError::Reset,
                Ok(Asked::Answer(response)) => return Ok(response),
                Err(error) if self.joined.is_none() => return Err(error),
                Err(error) => error,
                Ok(Asked::Joined(socket, joined)) => {
                    self.env.sometimes(marks::LIVE_WAITED);
                    if mutated!(LostWakeUp) && self.joined.is_none() && !self.from_now {
                        self.ask.read.from = ReadFrom::Now;
                        self.joined = Some((joined.position.next, joined.clock));
                        continue;
                    }
                    let (at, _) =
                        *self.joined.insert((self.joined.map_or(joined.position.next, |(at, _)| at), joined.clock));
                    self.ask.read.from = ReadFrom::At(at);
                    let left_ms = self.ends_ms.saturating_sub(self.env.now_ms());
                    match socket.next(left_ms).await {
                        SocketEvent::Message(message) => match LiveMessage::decode(message) {
                            Some(LiveMessage::Answer { position, answer }) => return Ok(self.told(position, answer)),
                            Some(LiveMessage::Pull | LiveMessage::Gone) => {
                                self.env.sometimes(marks::LIVE_PULLED_AGAIN);
                                continue;
                            }
                            _ => CallError::Exception("a message that this version does not know".to_owned()),
                        },
                        SocketEvent::TimedOut => return Ok(self.in_vain(at, joined.clock)),
                        SocketEvent::Closed => {
                            self.env.sometimes(marks::LIVE_SOCKET_LOST);
                            CallError::Reset
                        }
                    }
                }
            };
            self.pauses.pause(&self.env, self.ends_ms).await;
            if self.env.now_ms() >= self.ends_ms {
                return Err(failure);
            }
        }
    }

    /// What the object has pushed.
    fn told(&self, position: Position, mut answer: Answer) -> Response {
        let closed =
            answer.fields.iter().any(|(name, value)| name == header::STREAM_CLOSED && header::is_true(Some(value)));
        if self.from_now {
            // Another moment's `now` would have another answer.
            answer.fields.retain(|(name, _)| name != header::ETAG && name != header::CACHE_CONTROL);
            answer.fields.push((header::CACHE_CONTROL.to_owned(), CacheControl::NoStore.to_string()));
        }
        let cursor = (!closed).then(|| cursor::after_data(position.commit_ms, self.ask.read.cursor).to_string());
        Response::from(answer).with_some(header::STREAM_CURSOR, cursor).with_common(self.ask.allow_origin.as_deref())
    }

    /// Nothing came.
    fn in_vain(&self, at: Offset, clock: Clock) -> Response {
        self.env.sometimes(marks::LIVE_TIMED_OUT);
        let cursor = cursor::after_silence(clock.now_ms(&self.env), self.interval_ms, self.ask.read.cursor);
        Response::new(204)
            .with(header::CACHE_CONTROL, CacheControl::NoStore.to_string())
            .with(header::STREAM_NEXT_OFFSET, at.to_string())
            .with(header::STREAM_UP_TO_DATE, header::TRUE)
            .with(header::STREAM_CURSOR, cursor.to_string())
            .with_common(self.ask.allow_origin.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Happens, Reply, START_MS, Scripted, at, greeting, live};
    use super::super::{Access, LiveConfig};
    use super::*;
    use crate::protocol::message::Live;
    use crate::protocol::{ErrorCode, ProjectMode, Refusal};

    fn config() -> EdgeConfig {
        let live = LiveConfig::default();
        EdgeConfig { access: Access::NoAuth, projects: ProjectMode::Single, body_limit: 1, live }
    }

    fn told(position: u64, closed: bool) -> Happens {
        let mut fields = vec![
            (header::CACHE_CONTROL.to_owned(), "public, max-age=20".to_owned()),
            (header::ETAG.to_owned(), "\"x\"".to_owned()),
            (header::STREAM_NEXT_OFFSET.to_owned(), at(position).to_string()),
        ];
        if closed {
            fields.push((header::STREAM_CLOSED.to_owned(), header::TRUE.to_owned()));
        }
        let answer = Answer { status: 200, fields, body: "data".into() };
        let position = Position { next: at(position), commit_ms: START_MS + position };
        Happens::Message(LiveMessage::Answer { position, answer }.encode())
    }

    /// The landing of a flight from the position, and what was done for it.
    fn flown(from: ReadFrom, cursor: Option<u64>, replies: impl IntoIterator<Item = Reply>) -> (Landing, Vec<String>) {
        let env = Scripted::new(replies);
        let landing = Scripted::run(flight(env.clone(), config(), live(from, Live::LongPoll, cursor)));
        (landing.expect("it waits for the script alone"), env.notes())
    }

    fn fields(landing: Landing, names: &[&str]) -> Vec<Option<String>> {
        let response = landing.expect("an answer");
        names.iter().map(|name| response.headers.get(name).map(str::to_owned)).collect()
    }

    #[test]
    fn what_is_there_is_answered_at_once() {
        for status in [200, 204, 304, 400, 404, 410, 500] {
            let (landing, notes) = flown(ReadFrom::Start, None, [Reply::Answer(Response::new(status))]);
            assert_eq!(landing.map(|response| response.status), Ok(status));
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
                flown(ReadFrom::At(at(2)), cursor, [Reply::Socket(vec![greeting(2), told(5, closed)])]);
            assert_eq!(notes.len(), 2, "{notes:?}");
            let names = [header::STREAM_CURSOR, header::ETAG, header::ACCESS_CONTROL_ALLOW_ORIGIN];
            let expected = [expected, Some("\"x\""), Some("*")];
            assert_eq!(fields(landing, &names), expected.map(|value| value.map(str::to_owned)));
        }
    }

    #[test]
    fn who_waits_from_now_gets_an_answer_that_no_cache_keeps() {
        let (landing, _) = flown(ReadFrom::Now, None, [Reply::Socket(vec![greeting(2), told(5, false)])]);
        let names = [header::CACHE_CONTROL, header::ETAG, header::STREAM_CURSOR];
        let expected = [Some("no-store"), None, Some("1000005")];
        assert_eq!(fields(landing, &names), expected.map(|value| value.map(str::to_owned)));
    }

    #[test]
    fn who_waits_in_vain_for_twenty_seconds_gets_204_and_the_cursor_of_the_interval() {
        let (landing, notes) = flown(ReadFrom::At(at(2)), Some(7), [Reply::Socket(vec![greeting(2)])]);
        assert_eq!(notes, ["ask 0000000000000000_0000000000000002 cursor 7", "close"]);
        assert_eq!(landing.as_ref().map(|response| response.status), Ok(204));
        let names =
            [header::STREAM_CURSOR, header::STREAM_NEXT_OFFSET, header::STREAM_UP_TO_DATE, header::CACHE_CONTROL];
        let expected = ["1020000", "0000000000000000_0000000000000002", "true", "no-store"];
        assert_eq!(fields(landing, &names), expected.map(|value| Some(value.to_owned())));
    }

    #[test]
    fn a_cut_socket_leads_back_to_the_object_as_long_as_the_wait_lasts() {
        let cut = || Reply::Socket(vec![greeting(2), Happens::Cut]);
        let (landing, notes) =
            flown(ReadFrom::Now, None, [cut(), Reply::Fails, cut(), Reply::Socket(vec![greeting(2)])]);
        assert_eq!(landing.map(|response| response.status), Ok(204));
        let own = "ask 0000000000000000_0000000000000002";
        assert_eq!(notes, ["ask now", "close", "sleep 50", own, "sleep 100", own, "close", "sleep 200", own, "close"]);

        let (landing, notes) = flown(ReadFrom::Now, None, [cut()]);
        assert_eq!(landing, Err(CallError::Reset));
        let asks = notes.iter().filter(|note| note.starts_with("ask")).count();
        assert!((5..=20).contains(&asks), "{notes:?}");
    }

    #[test]
    fn what_is_too_large_to_push_or_gone_is_asked_for_at_once() {
        for message in [LiveMessage::Pull, LiveMessage::Gone] {
            let told = Reply::Socket(vec![greeting(2), Happens::Message(message.encode())]);
            let (landing, notes) = flown(ReadFrom::Now, None, [told, Reply::Answer(Response::new(410))]);
            assert_eq!(landing.map(|response| response.status), Ok(410));
            assert_eq!(notes, ["ask now", "close", "ask 0000000000000000_0000000000000002"]);
        }
    }

    #[test]
    fn an_object_that_does_not_answer_fails_the_flight_and_whoever_joined_it_flies_once_more() {
        let refusal = Refusal::new(ErrorCode::ObjectUnavailable, "");
        for (replies, flights, status, asks) in [
            (vec![Reply::Fails], vec![], refusal.code.status(), 1),
            (vec![Reply::Answer(Response::new(200))], vec![Err(CallError::Reset)], 200, 1),
            (vec![], vec![Err(CallError::Reset), Err(CallError::Overloaded)], 503, 0),
            (vec![], vec![Ok(Response::new(304))], 304, 0),
        ] {
            let env = Scripted::new(replies).with_flights(flights);
            let response = Scripted::run(answer(&env, &config(), &live(ReadFrom::Start, Live::LongPoll, None)));
            let found = response.map(|response| (response.status, env.notes().len()));
            assert_eq!(found, Some((status, asks)));
        }
    }
}
