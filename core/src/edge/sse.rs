//! The bridge between a stream and a client that listens.
//!
//! It asks the object from where its client is. What the log holds beyond that comes as a page, and it asks again from
//! the page's end; only at the tail it gets a socket, on which everything follows that is appended from then on. So a
//! page and what is pushed join without gap, duplicate or reordering, and whatever becomes of a socket (cut, dropped
//! because the client takes its bytes too slowly), the bridge asks again from where it is.

use bytes::Bytes;

use super::live::{Ask, Asked, Clock, Joined, LiveRead, Pauses, Socket, is_passing, random};
use super::{EdgeConfig, Fetched, LiveConfig, unreachable};
use crate::mutant::mutated;
use crate::protocol::live::{EVENT_PREFIX, HEADER_LENGTH, LiveMessage, Position};
use crate::protocol::sse::{self, Control, Encoding, KEEP_ALIVE};
use crate::protocol::{CacheControl, ErrorCode, Offset, ReadFrom, Refusal, cursor, header};
use crate::runtime::{ClientBody, EdgeEnv, Method, Patience, PipeEnd, PipeRule, Response, Written, marks};

/// Events are passed on without their header.
const RULE: PipeRule = PipeRule { prefix: EVENT_PREFIX, header_length: HEADER_LENGTH };

/// A connection that is open, and what the object said when it was opened.
pub struct Bridge<E: EdgeEnv> {
    first: Asked<E>,
    reader: Reader<E>,
}

/// One client of a stream, and where it is.
struct Reader<E: EdgeEnv> {
    env: E,
    config: LiveConfig,
    ask: Ask,
    /// When the connection ends, by the edge's clock.
    ends_ms: u64,
    /// The object's clock, once the object has told it.
    clock: Option<Clock>,
    /// Where the client is.
    at: Offset,
    /// Whether the last control event has told the client that it is at the tail.
    told_up_to_date: bool,
    pauses: Pauses,
}

/// How it goes on.
enum Next {
    /// The object is asked from where the client is.
    Ask,
    /// The same after a pause.
    AskLater,
    /// The connection ends.
    End,
}

/// Opens a connection with events, unless there is another answer.
pub async fn open<E: EdgeEnv>(env: &E, config: &EdgeConfig, live: &LiveRead) -> Fetched<E> {
    let Some(ask) = Ask::new(live) else {
        tracing::error!("a live read that is none");
        return Fetched::Answer(Response::refusal(&Refusal::new(ErrorCode::Internal, "the service failed")));
    };
    let ends_ms = env.now_ms() + config.live.waits.sse_lifetime_ms(random(env));
    let first = match ask.send(env).await {
        Ok(Asked::Answer(response)) if response.status != 200 => return Fetched::Answer(response),
        Ok(first) => first,
        Err(error) => return Fetched::Answer(unreachable(config, Method::Get, &error)),
    };
    let head = head(&ask, &first);
    let reader = Reader {
        env: env.clone(),
        config: config.live,
        ask,
        ends_ms,
        clock: None,
        at: Offset::start_of(0),
        told_up_to_date: false,
        pauses: Pauses::default(),
    };
    Fetched::Stream { head, bridge: Box::new(Bridge { first, reader }) }
}

fn head<E: EdgeEnv>(ask: &Ask, first: &Asked<E>) -> Response {
    let head = Response::new(200)
        .with(header::CACHE_CONTROL, CacheControl::NoCache.to_string())
        .with(header::CONTENT_TYPE, "text/event-stream")
        .with_common(ask.allow_origin.as_deref());
    match first {
        Asked::Answer(page) => {
            let same = [header::STREAM_SSE_DATA_ENCODING, header::TAILRACE_INSTANCE, header::TAILRACE_ROWS_WRITTEN];
            same.into_iter().fold(head, |head, name| head.with_some(name, page.headers.get(name)))
        }
        Asked::Joined(_, joined) => {
            let encoding = (joined.encoding == Encoding::Base64).then_some("base64");
            head.with_some(header::STREAM_SSE_DATA_ENCODING, encoding)
        }
    }
}

impl<E: EdgeEnv> Bridge<E> {
    /// Feeds the client until its connection ends.
    pub async fn run(self, body: E::Body) {
        let Self { first, mut reader } = self;
        let mut asked = Ok(first);
        loop {
            let next = match asked {
                Ok(Asked::Answer(response)) => reader.take_page(&response, &body).await,
                Ok(Asked::Joined(socket, joined)) => reader.listen(socket, joined, &body).await,
                Err(error) => {
                    tracing::warn!(%error, "an object did not answer");
                    Next::AskLater
                }
            };
            match next {
                Next::End => return,
                Next::Ask => reader.env.sometimes(marks::LIVE_PULLED_AGAIN),
                Next::AskLater => reader.pauses.pause(&reader.env, reader.ends_ms).await,
            }
            if reader.left_ms() == 0 {
                reader.finish(&body).await;
                return;
            }
            asked = reader.ask.send(&reader.env).await;
        }
    }
}

impl<E: EdgeEnv> Reader<E> {
    /// How much longer the connection lasts.
    fn left_ms(&self) -> u64 {
        self.ends_ms.saturating_sub(self.env.now_ms())
    }

    fn patience(&self, wait_ms: u64) -> Patience {
        Patience { buffer_bytes: self.config.buffer_bytes, wait_ms }
    }

    /// Writes, and waits until the client has taken enough of it. Whether it has.
    async fn write(&self, bytes: impl Into<Bytes>, body: &E::Body) -> bool {
        let written = body.write(bytes.into(), self.patience(self.left_ms())).await;
        if written == Written::Gone {
            self.env.sometimes(marks::LIVE_CLIENT_GONE);
        }
        // A client that has stalled until its connection ends gets what is under way, and comes back.
        written == Written::Taken
    }

    fn move_to(&mut self, next: Offset, cursor: Option<u64>, up_to_date: bool) {
        self.at = next;
        self.ask.read.from = ReadFrom::At(next);
        self.ask.read.cursor = cursor.or(self.ask.read.cursor);
        self.told_up_to_date = up_to_date;
    }

    /// Passes on a page of the log.
    async fn take_page(&mut self, response: &Response, body: &E::Body) -> Next {
        let get = |name| response.headers.get(name);
        let next = match (response.status, get(header::STREAM_NEXT_OFFSET).and_then(Offset::parse)) {
            (200, Some(next)) => next,
            _ if is_passing(response) => return Next::AskLater,
            // The stream is gone, or another one is in its place.
            _ => return Next::End,
        };
        self.env.sometimes(marks::LIVE_PAGE_PULLED);
        let up_to_date = get(header::STREAM_UP_TO_DATE).is_some();
        let cursor = get(header::STREAM_CURSOR).and_then(|cursor| cursor.parse().ok());
        let has_moved = ReadFrom::At(next) != self.ask.read.from;
        self.move_to(next, cursor, up_to_date);
        if has_moved {
            self.pauses.reset();
        }
        if mutated!(CatchUpNotJoined) && up_to_date {
            self.ask.read.from = ReadFrom::Now;
        }
        let is_taken = self.write(response.body.clone(), body).await;
        if !is_taken || header::is_true(get(header::STREAM_CLOSED)) {
            return Next::End;
        }
        // What answers without end and leads nowhere must not be asked without end.
        if has_moved { Next::Ask } else { Next::AskLater }
    }

    /// Passes on what is appended, until something else happens.
    async fn listen(&mut self, socket: Socket<E>, joined: Joined, body: &E::Body) -> Next {
        self.env.sometimes(marks::LIVE_WAITED);
        self.clock = Some(joined.clock);
        self.at = joined.position.next;
        self.ask.read.from = ReadFrom::At(self.at);
        if !self.told_up_to_date {
            let control = self.control(true);
            if !self.write(control, body).await {
                return Next::End;
            }
        }
        let joined_ms = self.env.now_ms();
        loop {
            let wait_ms = self.config.keep_alive_ms.min(self.left_ms());
            let piped = body.pipe(&socket, RULE, self.patience(wait_ms)).await;
            if let Some(position) = piped.last.as_deref().and_then(Position::decode) {
                let cursor = cursor::after_data(position.commit_ms, self.ask.read.cursor);
                self.move_to(position.next, Some(cursor), true);
                self.pauses.reset();
            }
            match piped.end {
                PipeEnd::TimedOut if self.left_ms() == 0 => {
                    self.finish(body).await;
                    return Next::End;
                }
                PipeEnd::TimedOut => {
                    self.env.sometimes(marks::LIVE_KEEP_ALIVE);
                    if !self.write(Bytes::from_static(KEEP_ALIVE), body).await {
                        return Next::End;
                    }
                }
                PipeEnd::Message(message) => return self.take_message(message, body).await,
                PipeEnd::Closed => {
                    self.env.sometimes(marks::LIVE_SOCKET_LOST);
                    self.told_up_to_date = false;
                    if self.env.now_ms() - joined_ms > self.config.keep_alive_ms {
                        self.pauses.reset();
                    }
                    return Next::AskLater;
                }
                PipeEnd::Overflow => {
                    self.env.sometimes(marks::LIVE_OVERFLOWED);
                    self.told_up_to_date = false;
                    // What else is on the socket is read from the log, once the client has room for it.
                    drop(socket);
                    return if self.write(Bytes::new(), body).await { Next::Ask } else { Next::End };
                }
                PipeEnd::Gone => {
                    self.env.sometimes(marks::LIVE_CLIENT_GONE);
                    return Next::End;
                }
            }
        }
    }

    /// What is no event that more may follow.
    async fn take_message(&mut self, message: Bytes, body: &E::Body) -> Next {
        self.told_up_to_date = false;
        match LiveMessage::decode(message) {
            Some(LiveMessage::Event { text, closed: true, .. }) => {
                self.write(text, body).await;
                Next::End
            }
            Some(LiveMessage::Pull) => Next::Ask,
            Some(LiveMessage::Gone) => Next::End,
            _ => {
                tracing::error!("a message that this version does not know");
                Next::AskLater
            }
        }
    }

    /// The last control event: the client comes back to where it is, and not all clients at once.
    async fn finish(&mut self, body: &E::Body) {
        let control = self.control(self.told_up_to_date);
        self.write(control, body).await;
    }

    /// A control event without data.
    fn control(&mut self, up_to_date: bool) -> Vec<u8> {
        let now_ms = self.clock.map_or(0, |clock| clock.now_ms(&self.env));
        let cursor = cursor::after_silence(now_ms, self.config.waits.long_poll_ms, self.ask.read.cursor);
        self.ask.read.cursor = Some(cursor);
        self.told_up_to_date = up_to_date;
        let mut text = Vec::new();
        let control = Control { next: self.at, cursor: Some(cursor), up_to_date, closed: false };
        sse::write_events(&mut text, Encoding::Text, &[], &control);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Happens, Reply, START_MS, Scripted, at, event, greeting, live};
    use super::super::{Access, EdgeConfig, Fetched, LiveConfig};
    use super::*;
    use crate::protocol::ProjectMode;
    use crate::protocol::message::Live;

    fn page(next: u64, text: &'static str, up_to_date: bool) -> Reply {
        let response = Response::new(200)
            .with(header::STREAM_NEXT_OFFSET, at(next).to_string())
            .with(header::STREAM_CURSOR, (START_MS + next).to_string())
            .with_some(header::STREAM_UP_TO_DATE, up_to_date.then_some(header::TRUE));
        Reply::Answer(response.with_body(text))
    }

    fn message(bytes: Bytes) -> Happens {
        Happens::Message(bytes)
    }

    /// What is done for a client that listens from the position, until the connection ends or the script does.
    fn notes(from: ReadFrom, replies: impl IntoIterator<Item = Reply>) -> Vec<String> {
        let env = Scripted::new(replies);
        let live_config = LiveConfig::default();
        let config =
            EdgeConfig { access: Access::NoAuth, projects: ProjectMode::Single, body_limit: 1, live: live_config };
        Scripted::run(async {
            match open(&env, &config, &live(from, Live::Sse, None)).await {
                Fetched::Answer(response) => panic!("{response:?}"),
                Fetched::Stream { bridge, .. } => bridge.run(env.body()).await,
            }
        })
        .expect("it waits for the script alone");
        env.notes()
    }

    fn check(replies: impl IntoIterator<Item = Reply>, expected: &[&str]) {
        assert_eq!(notes(ReadFrom::At(at(0)), replies), expected);
    }

    const START: &str = "ask 0000000000000000_0000000000000000";

    #[test]
    fn pages_are_pulled_until_the_tail_and_what_follows_is_pushed() {
        let pushed = vec![greeting(5), message(event(6, "f", false)), message(event(7, "g", true))];
        check(
            [page(3, "abc", false), page(5, "de", true), Reply::Socket(pushed)],
            &[
                START,
                "write abc",
                "ask 0000000000000000_0000000000000003 cursor 1000003",
                "write de",
                "ask 0000000000000000_0000000000000005 cursor 1000005",
                r#"pipe f{"streamNextOffset":"6","streamCursor":"1000006","upToDate":true}"#,
                r#"write g{"streamNextOffset":"7","upToDate":true,"streamClosed":true}"#,
                "close",
            ],
        );
    }

    #[test]
    fn a_reader_that_begins_at_the_tail_is_told_so_at_once() {
        let notes = notes(ReadFrom::Now, [Reply::Socket(vec![greeting(5), message(event(6, "f", true))])]);
        let expected = [
            "ask now",
            r#"write {"streamNextOffset":"5","streamCursor":"1000000","upToDate":true}"#,
            r#"write f{"streamNextOffset":"6","upToDate":true,"streamClosed":true}"#,
            "close",
        ];
        assert_eq!(notes, expected);
    }

    #[test]
    fn a_cut_socket_leads_back_to_the_object_from_where_the_client_is_with_longer_and_longer_pauses() {
        let cut = vec![greeting(0), message(event(2, "ab", false)), Happens::Cut];
        let again = vec![greeting(2), message(event(3, "c", true))];
        check(
            [Reply::Socket(cut), Reply::Fails, Reply::Answer(Response::new(503)), Reply::Socket(again)],
            &[
                START,
                r#"write {"streamNextOffset":"0","streamCursor":"1000000","upToDate":true}"#,
                r#"pipe ab{"streamNextOffset":"2","streamCursor":"1000002","upToDate":true}"#,
                "close",
                "sleep 50",
                "ask 0000000000000000_0000000000000002 cursor 1000002",
                "sleep 100",
                "ask 0000000000000000_0000000000000002 cursor 1000002",
                "sleep 200",
                "ask 0000000000000000_0000000000000002 cursor 1000002",
                r#"write {"streamNextOffset":"2","streamCursor":"1000003","upToDate":true}"#,
                r#"write c{"streamNextOffset":"3","upToDate":true,"streamClosed":true}"#,
                "close",
            ],
        );
    }

    #[test]
    fn what_a_slow_client_does_not_take_is_left_in_the_log() {
        let stalled = vec![greeting(0), Happens::ClientStalls(event(2, "ab", false)), message(event(3, "c", false))];
        check(
            [Reply::Socket(stalled), page(4, "cd", true), Reply::Answer(Response::new(404))],
            &[
                START,
                r#"write {"streamNextOffset":"0","streamCursor":"1000000","upToDate":true}"#,
                r#"pipe ab{"streamNextOffset":"2","streamCursor":"1000002","upToDate":true}"#,
                "close",
                "write ",
                "ask 0000000000000000_0000000000000002 cursor 1000002",
                "write cd",
                "ask 0000000000000000_0000000000000004 cursor 1000004",
            ],
        );
    }

    #[test]
    fn what_is_too_large_to_push_is_pulled_at_once() {
        let told = vec![greeting(0), message(LiveMessage::Pull.encode())];
        check(
            [Reply::Socket(told), Reply::Answer(Response::new(410))],
            &[
                START,
                r#"write {"streamNextOffset":"0","streamCursor":"1000000","upToDate":true}"#,
                "close",
                START_AGAIN,
            ],
        );
    }

    const START_AGAIN: &str = "ask 0000000000000000_0000000000000000 cursor 1000000";

    #[test]
    fn a_stream_that_is_gone_ends_the_connection_and_is_not_asked_again() {
        let gone = vec![greeting(0), message(LiveMessage::Gone.encode())];
        let told = r#"write {"streamNextOffset":"0","streamCursor":"1000000","upToDate":true}"#;
        check([Reply::Socket(gone)], &[START, told, "close"]);
        check([Reply::Socket(vec![greeting(0), Happens::ClientLeaves])], &[START, told, "close"]);
    }

    #[test]
    fn answers_that_lead_nowhere_and_messages_of_another_version_are_not_asked_for_without_a_pause() {
        let unknown = vec![greeting(0), message(Bytes::from_static(&[9; 40]))];
        check(
            [page(0, "", true), page(0, "", true), Reply::Socket(unknown), Reply::Answer(Response::new(404))],
            &[
                START,
                "write ",
                "sleep 50",
                START_AGAIN,
                "write ",
                "sleep 100",
                START_AGAIN,
                "close",
                "sleep 200",
                START_AGAIN,
            ],
        );
    }

    #[test]
    fn silence_is_broken_by_comments_and_a_connection_ends_with_a_control_event() {
        // Without randomness it lasts a tenth less than a minute.
        check(
            [Reply::Socket(vec![greeting(0)])],
            &[
                START,
                r#"write {"streamNextOffset":"0","streamCursor":"1000000","upToDate":true}"#,
                "write :",
                "write :",
                "write :",
                r#"write {"streamNextOffset":"0","streamCursor":"1040000","upToDate":true}"#,
                "close",
            ],
        );
    }

    #[test]
    fn an_object_that_stays_away_is_asked_seldom_and_only_as_long_as_the_connection_lasts() {
        let notes = notes(ReadFrom::At(at(0)), [Reply::Socket(vec![greeting(0), Happens::Cut])]);
        let asks = notes.iter().filter(|note| note.starts_with("ask")).count();
        let slept: u64 = notes.iter().filter_map(|note| note.strip_prefix("sleep ")?.parse::<u64>().ok()).sum();
        assert!((10..=30).contains(&asks), "{notes:?}");
        assert_eq!(slept, 54_000);
        let last = r#"write {"streamNextOffset":"0","streamCursor":"1040000"}"#;
        assert_eq!(notes.last().map(String::as_str), Some(last));
    }

    #[test]
    fn what_is_wrong_with_a_request_is_answered_as_it_is() {
        for (reply, status) in [
            (Reply::Answer(Response::new(404)), 404),
            (Reply::Answer(Response::new(410)), 410),
            (Reply::Answer(Response::new(500)), 500),
            (Reply::Fails, 503),
            (Reply::Socket(vec![Happens::Cut]), 503),
            (Reply::Socket(vec![message(event(1, "no greeting", false))]), 500),
        ] {
            let env = Scripted::new([reply]);
            let live_config = LiveConfig::default();
            let config =
                EdgeConfig { access: Access::NoAuth, projects: ProjectMode::Single, body_limit: 1, live: live_config };
            match Scripted::run(open(&env, &config, &live(ReadFrom::Start, Live::Sse, None))) {
                Some(Fetched::Answer(response)) => assert_eq!(response.status, status),
                _ => panic!("{status} was expected"),
            }
        }
    }
}
