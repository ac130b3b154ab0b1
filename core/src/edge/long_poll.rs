//! Long-polls: one flight for all identical ones of an isolate.

use super::live::{Ask, Asked, Clock, LiveRead, Pauses, is_passing};
use super::{EdgeConfig, unreachable};
use crate::mutant::mutated;
use crate::protocol::live::{Answer, LiveMessage, Position};
use crate::protocol::{CacheControl, Offset, ReadFrom, cursor, header};
use crate::runtime::{CallError, EdgeEnv, EdgeSocket, Flights, Landing, Method, Response, SocketEvent};

/// Answers a long-poll, by the flight of another one if there is one.
pub(super) async fn answer<E: Flights>(env: &E, config: &EdgeConfig, live: &LiveRead) -> Response {
    let fly = || flight(env.clone(), config.clone(), live.clone());
    let landing = match live.flight_key() {
        None => fly().await,
        Some(key) => {
            let shared = env.share(key.clone(), fly()).await;
            if shared.joined {
                env.sometimes("live_flight_shared");
            }
            match shared.landing {
                // It was another's that failed, perhaps with the request that brought it, or was refused: since it left,
                // and before this request came, the stream may have been created. What begins now is not older.
                landing if shared.joined && !is_good(&landing) => {
                    env.sometimes("live_flight_retried");
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
                    self.env.sometimes("live_waited");
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
                                self.env.sometimes("live_pulled_again");
                                continue;
                            }
                            _ => CallError::Exception("a message that this version does not know".to_owned()),
                        },
                        SocketEvent::TimedOut => return Ok(self.in_vain(at, joined.clock)),
                        SocketEvent::Closed => {
                            self.env.sometimes("live_socket_lost");
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
        self.env.sometimes("live_timed_out");
        let cursor = cursor::after_silence(clock.now_ms(&self.env), self.interval_ms, self.ask.read.cursor);
        Response::new(204)
            .with(header::CACHE_CONTROL, CacheControl::NoStore.to_string())
            .with(header::STREAM_NEXT_OFFSET, at.to_string())
            .with(header::STREAM_UP_TO_DATE, header::TRUE)
            .with(header::STREAM_CURSOR, cursor.to_string())
            .with_common(self.ask.allow_origin.as_deref())
    }
}
