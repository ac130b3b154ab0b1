//! Connections with events (Server-Sent Events).
//!
//! The edge asks the object from the client's position, which is the offset up to which the client has been sent the
//! log. What the log holds after that comes as a page, and the edge asks again from the page's end. At the tail it gets
//! a socket instead, on which the object sends everything appended from then on. So pages and messages follow each
//! other without gap, duplicate or reordering. If a socket is lost, or dropped because the client takes its bytes too
//! slowly, the edge asks again from the client's position.

use bytes::Bytes;

use super::config::{EdgeConfig, LiveConfig};
use super::event_source::{come_again, head_of_events, is_end, no_more, with_same};
use super::failure::unreachable;
use super::live::{Asked, Clock, Joined, LiveRead, Pauses, await_turn};
use crate::mutant::mutated;
use crate::protocol::cache::AnswerKind;
use crate::protocol::live::{EVENT_PREFIX, HEADER_LENGTH, LiveMessage, ReaderPosition};
use crate::protocol::sse::{self, Control, Encoding, KEEP_ALIVE};
use crate::protocol::{CacheControl, Method, Offset, ReadFrom, Readership, Response, cursor, header};
use crate::runtime::{Changes, Download, EdgeEnv, PipeEnd, PipeRule, Reply, marks};

/// One client of a stream, and its position.
pub(super) struct Reader<'a, E: EdgeEnv> {
    pub(super) env: &'a E,
    pub(super) config: LiveConfig,
    /// What may wait for all clients of the isolate, in bytes.
    pub(super) clients_bytes: usize,
    /// What waited for the client when that was last known, in bytes.
    pub(super) waiting_bytes: usize,
    /// What the object is asked next.
    pub(super) ask: LiveRead,
    /// When the connection ends, by the edge's clock, in ms since the Unix epoch.
    ends_ms: u64,
    /// The object's clock, once the object has told it.
    clock: Option<Clock>,
    /// The client's position: the end offset (exclusive) of what it has been sent. `None` until this connection has told
    /// it one: the client knows better then where it is.
    at: Option<Offset>,
    /// The event that the client has a part of: the offset after it, and where in its payload the next piece begins.
    pub(super) rest: Option<(Offset, usize)>,
    /// Whether the edge has asked more than the client's own question, or the same again since the answer broke off.
    has_asked_on: bool,
    /// What cursors the client has been told.
    told: cursor::Told,
    /// Whether the last control event has told the client that it is at the tail.
    told_up_to_date: bool,
    /// What the connection begins with, until it has been written.
    preface: Vec<u8>,
    pub(super) pauses: Pauses,
}

/// What to do next for a client.
pub(super) enum Next {
    /// Ask the object from the client's position.
    Ask,
    /// Ask it after a pause.
    AskLater,
    /// End the connection.
    End,
}

/// Answers a live read with events, and serves them until the connection ends; or passes on what is wrong with the
/// request.
pub(super) async fn listen<E: EdgeEnv>(env: &E, config: &EdgeConfig, live: &LiveRead) {
    env.outlive_client();
    let random = env.random();
    let now_ms = env.now_ms();
    let waits = config.live.waits;
    let lifetime_ms = match config.policy.events_end_together {
        true => waits.left_together_ms(now_ms),
        false => waits.sse_lifetime_ms(random),
    };
    let ask = LiveRead { until_ms: live.until_ms.filter(|_| !mutated!(SseOutlivesItsToken)), ..live.clone() };
    let mut reader = Reader {
        env,
        config: config.live,
        clients_bytes: config.memory.clients_bytes,
        waiting_bytes: 0,
        ends_ms: ask.end_ms(now_ms + lifetime_ms),
        ask,
        clock: None,
        at: None,
        rest: None,
        has_asked_on: false,
        told: cursor::Told::of_client(live.read.cursor),
        told_up_to_date: false,
        preface: sse::retry(random >> 32),
        pauses: Pauses::default(),
    };
    match reader.ask.ask(env, config.live.buffer_bytes).await {
        Err(error) if live.resumes => {
            tracing::error!(%error, "an object did not answer");
            env.answer(come_again(env));
        }
        Err(error) => env.answer(unreachable(Method::Get, &error)),
        Ok(Asked::Joined(socket, joined)) => {
            let encoding = (joined.encoding == Encoding::Base64).then_some("base64");
            let readers = joined.readers.as_ref().map(Readership::as_str);
            let head = head(config).with_some(header::STREAM_SSE_DATA_ENCODING, encoding);
            let body = env.open(head.with_some(header::TAILRACE_READERS, readers));
            let next = reader.listen(socket, joined, &body).await;
            reader.go_on(next, &body).await;
            reader.part(&body).await;
        }
        Ok(Asked::Reply(reply)) => {
            let page = reply.head();
            if live.resumes && page.status >= 500 {
                return env.answer(come_again(env));
            }
            if page.status != 200 {
                return env.pass_on(reply, Changes::NONE);
            }
            if live.resumes && is_end(&page, live.read.from) {
                return env.answer(no_more(&page));
            }
            let head = with_same(head(config), &page, &[header::STREAM_SSE_DATA_ENCODING, header::TAILRACE_READERS]);
            let body = env.open(head);
            body.push(std::mem::take(&mut reader.preface).into());
            let next = reader.take_page(&page, reply, &body).await;
            reader.go_on(next, &body).await;
            reader.part(&body).await;
        }
    }
}

fn head(config: &EdgeConfig) -> Response {
    let cache_control = config.policy.cache_control(AnswerKind::Events, None);
    let head = head_of_events(cache_control);
    match cache_control {
        // A browser's `EventSource` that comes back asks for the same URL, and goes on from there.
        CacheControl::Public { .. } => head.with(header::VARY, "Last-Event-ID"),
        _ => head,
    }
}

impl<E: EdgeEnv> Reader<'_, E> {
    /// Serves the client until its connection ends.
    async fn go_on(&mut self, mut next: Next, body: &E::Download) {
        loop {
            match next {
                Next::End => return,
                Next::Ask => self.env.sometimes(marks::LIVE_PULLED_AGAIN),
                Next::AskLater => self.pauses.pause(self.env, self.ends_ms).await,
            }
            self.has_asked_on = true;
            // Not even an event that has begun goes on without a grant.
            if self.rest.is_some() && self.ask.has_expired(self.env) {
                return;
            }
            if let Some((end, at)) = self.rest {
                if matches!(next, Next::AskLater) && self.left_ms() == 0 {
                    return;
                }
                next = self.take_rest(end, at, body).await;
                continue;
            }
            if self.left_ms() == 0 {
                return self.finish(body).await;
            }
            next = match self.ask.ask(self.env, self.config.buffer_bytes).await {
                Ok(Asked::Reply(reply)) => self.take_page(&reply.head(), reply, body).await,
                Ok(Asked::Joined(socket, joined)) => self.listen(socket, joined, body).await,
                Err(error) => {
                    tracing::warn!(%error, "an object did not answer");
                    Next::AskLater
                }
            };
        }
    }

    /// Whether what the object has answered comes too late: the client's token has expired since it was asked. What has
    /// answered the client's own question is not late, as it would not be for a plain read; the edge asks all others.
    pub(super) fn is_too_late(&self) -> bool {
        self.has_asked_on && self.ask.has_expired(self.env)
    }

    /// How much longer the connection lasts, in ms.
    pub(super) fn left_ms(&self) -> u64 {
        self.ends_ms.saturating_sub(self.env.now_ms())
    }

    pub(super) fn move_to(&mut self, next: Offset, cursor: Option<u64>, up_to_date: bool) {
        self.at = Some(next);
        self.ask.read.from = ReadFrom::At(next);
        self.tell(cursor);
        self.told_up_to_date = up_to_date;
    }

    fn tell(&mut self, cursor: Option<u64>) {
        cursor.into_iter().for_each(|cursor| self.told.raise(cursor));
        self.ask.read.cursor = self.told.as_client();
    }

    /// Passes events from the socket on to the client, until something else happens.
    async fn listen(&mut self, socket: E::Socket, joined: Joined, body: &E::Download) -> Next {
        self.env.sometimes(marks::LIVE_WAITED);
        self.clock = Some(joined.clock);
        let at = joined.position.next;
        self.at = Some(at);
        self.ask.read.from = ReadFrom::At(at);
        self.tell(Some(joined.position.commit_ms));
        if !self.told_up_to_date {
            let control = self.control(at, true);
            if !self.write(control, body).await {
                return Next::End;
            }
        }
        let joined_ms = self.env.now_ms();
        loop {
            // What has come on the socket meanwhile is not for a client whose token has expired.
            if self.ask.has_expired(self.env) {
                self.finish(body).await;
                return Next::End;
            }
            // Messages that are events are passed on without their header.
            let silence_ms = self.config.keep_alive_ms;
            let rule = PipeRule { prefix: EVENT_PREFIX, header_length: HEADER_LENGTH, silence_ms };
            let piped = body.pipe(self.env, &socket, rule, self.patience(self.left_ms())).await;
            if let Some(position) = piped.last.as_deref().and_then(ReaderPosition::decode) {
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
                PipeEnd::Message(message) => return self.take_message(message, socket, body).await,
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
                    // What else has come on the socket is read from the log, once the client has taken enough.
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

    /// Takes a message that the pipe did not pass on: the last event of a stream, or no event.
    async fn take_message(&mut self, message: Bytes, socket: E::Socket, body: &E::Download) -> Next {
        self.told_up_to_date = false;
        match LiveMessage::decode(message) {
            Some(LiveMessage::Event { text, closed: true, .. }) => {
                self.write(text, body).await;
                Next::End
            }
            Some(LiveMessage::Pull { spread_ms }) => {
                drop(socket);
                await_turn(self.env, spread_ms, self.ends_ms).await;
                Next::Ask
            }
            Some(LiveMessage::Gone) => Next::End,
            _ => {
                tracing::error!("a message that this version does not know");
                Next::AskLater
            }
        }
    }

    /// Writes the last control event, with the position and the cursor with which the client comes back; nothing if it has
    /// not been told where it is.
    async fn finish(&mut self, body: &E::Download) {
        if self.ask.has_expired(self.env) {
            self.env.sometimes(marks::EVENTS_ENDED_WITH_TOKEN);
        }
        let Some(at) = self.at else { return };
        let control = self.control(at, self.told_up_to_date);
        self.write(control, body).await;
    }

    /// A control event without data.
    fn control(&mut self, at: Offset, up_to_date: bool) -> Vec<u8> {
        let now_ms = self.clock.map_or(0, |clock| clock.now_ms(self.env));
        let told = self.ask.read.cursor.filter(|_| !mutated!(CursorOfEventsFalls));
        let cursor = cursor::after_silence(now_ms, self.config.waits.long_poll_ms, told);
        self.tell(Some(cursor));
        self.told_up_to_date = up_to_date;
        let mut text = std::mem::take(&mut self.preface);
        let control = Control { next: at, cursor: Some(cursor), up_to_date, closed: false };
        sse::write_events(&mut text, Encoding::Text, &[], &control);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Happens, START_MS, Says, Scripted, at, config, event, greeting, heard, live, page};
    use super::*;
    use crate::protocol::CachePolicy;
    use crate::protocol::message::Live;

    fn message(bytes: Bytes) -> Happens {
        Happens::Message(bytes)
    }

    fn check(replies: impl IntoIterator<Item = Says>, expected: &[&str]) {
        assert_eq!(heard(ReadFrom::At(at(0)), replies), expected);
    }

    #[test]
    fn events_that_may_be_shared_are_so_only_with_those_who_go_on_from_the_same_id() {
        for policy in CachePolicy::ALL {
            let head = head(&EdgeConfig { policy: *policy, ..config() });
            let is_shared = head.headers.get(header::CACHE_CONTROL).is_some_and(|text| text.starts_with("public"));
            let expected = is_shared.then_some("Last-Event-ID");
            assert_eq!(head.headers.get(header::VARY), expected, "{}", policy.name);
            assert_eq!(is_shared, policy.name == "collapsed-events", "{}", policy.name);
        }
    }

    #[test]
    fn a_reader_ahead_of_the_clock_is_told_one_cursor_more_than_its_own_however_many_events_come() {
        let own = START_MS + 500_000;
        let ahead = |position: u64, cursor: u64| {
            let at = ReaderPosition { next: at(position), commit_ms: cursor };
            message(LiveMessage::event(at, cursor, false, Encoding::Text, b"x"))
        };
        // Another reader is further ahead: what it is told after the third event is told to this one, too.
        let pushed = vec![greeting(2), ahead(3, own + 1), ahead(4, own + 1), ahead(5, own + 9), Happens::Cut];
        let env = Scripted::new([
            page(1, "a", false),
            page(2, "b", true),
            Says::Socket(pushed),
            Says::Socket(vec![greeting(5)]),
        ]);
        let read = live(ReadFrom::At(at(0)), Live::Sse, Some(own));
        Scripted::run(listen(&env, &config(), &read)).expect("it waits for nothing but the script");
        let notes = env.notes();
        let asks: Vec<&str> =
            notes.iter().filter_map(|note| note.split_once(" cursor ").map(|(_, cursor)| cursor)).collect();
        assert_eq!(asks, [own, own, own, own + 8].map(|cursor| cursor.to_string()));
        let told: Vec<&str> =
            notes.iter().filter_map(|note| note.split_once("streamCursor\":\"")?.1.split('"').next()).collect();
        let expected = [own + 1, own + 1, own + 9, own + 9, own + 9].map(|cursor| cursor.to_string());
        assert_eq!(told, expected, "{notes:?}");
    }

    const START: &str = "ask 0000000000000000_0000000000000000";

    #[test]
    fn a_reader_that_begins_at_the_tail_is_told_so_at_once() {
        let notes = heard(ReadFrom::Now, [Says::Socket(vec![greeting(5), message(event(6, "f", true))])]);
        let expected = [
            "ask now",
            r#"write retry:200|{"streamNextOffset":"5","streamCursor":"1000000","upToDate":true} id 5"#,
            r#"write f id 6|{"streamNextOffset":"6","upToDate":true,"streamClosed":true}"#,
            "close",
        ];
        assert_eq!(notes, expected);
    }

    #[test]
    fn after_a_lost_socket_the_object_is_asked_from_the_clients_position_with_longer_and_longer_pauses() {
        let cut = vec![greeting(0), message(event(2, "ab", false)), Happens::Cut];
        let again = vec![greeting(2), message(event(3, "c", true))];
        check(
            [Says::Socket(cut), Says::Fails, Says::Reply(Response::new(503)), Says::Socket(again)],
            &[
                START,
                r#"write retry:200|{"streamNextOffset":"0","streamCursor":"1000000","upToDate":true} id 0"#,
                r#"write ab id 2|{"streamNextOffset":"2","streamCursor":"1000002","upToDate":true}"#,
                "close",
                "sleep 50",
                "ask 0000000000000000_0000000000000002 cursor 1000001",
                "sleep 100",
                "ask 0000000000000000_0000000000000002 cursor 1000001",
                "sleep 200",
                "ask 0000000000000000_0000000000000002 cursor 1000001",
                r#"write {"streamNextOffset":"2","streamCursor":"1000002","upToDate":true} id 2"#,
                r#"write c id 3|{"streamNextOffset":"3","upToDate":true,"streamClosed":true}"#,
                "close",
            ],
        );
    }

    #[test]
    fn what_a_slow_client_does_not_take_is_left_in_the_log() {
        let stalled = vec![greeting(0), Happens::ClientStalls(event(2, "ab", false)), message(event(3, "c", false))];
        check(
            [Says::Socket(stalled), page(4, "cd", true), Says::Reply(Response::new(404))],
            &[
                START,
                r#"write retry:200|{"streamNextOffset":"0","streamCursor":"1000000","upToDate":true} id 0"#,
                r#"write ab id 2|{"streamNextOffset":"2","streamCursor":"1000002","upToDate":true}"#,
                "close",
                "ask 0000000000000000_0000000000000002 cursor 1000001",
                "write cd",
                "ask 0000000000000000_0000000000000004 cursor 1000003",
            ],
        );
    }

    #[test]
    fn what_had_no_room_on_the_socket_is_left_in_the_log() {
        let overflowed = vec![greeting(0), message(event(2, "ab", false)), Happens::Overflow];
        check(
            [Says::Socket(overflowed), Says::Reply(Response::new(404))],
            &[
                START,
                r#"write retry:200|{"streamNextOffset":"0","streamCursor":"1000000","upToDate":true} id 0"#,
                r#"write ab id 2|{"streamNextOffset":"2","streamCursor":"1000002","upToDate":true}"#,
                "close",
                "ask 0000000000000000_0000000000000002 cursor 1000001",
            ],
        );
    }

    #[test]
    fn what_is_too_large_to_push_is_read_at_once() {
        let told = vec![greeting(0), message(LiveMessage::Pull { spread_ms: 0 }.encode())];
        check(
            [Says::Socket(told), Says::Reply(Response::new(410))],
            &[
                START,
                r#"write retry:200|{"streamNextOffset":"0","streamCursor":"1000000","upToDate":true} id 0"#,
                "close",
                START_AGAIN,
            ],
        );
    }

    #[test]
    fn of_many_that_are_told_to_read_each_waits_for_a_moment_of_its_own() {
        for (spread_ms, waits) in [(300, "sleep 300"), (u32::MAX, "sleep 4000")] {
            let told = vec![greeting(0), message(LiveMessage::Pull { spread_ms }.encode())];
            check(
                [Says::Socket(told), Says::Reply(Response::new(410))],
                &[
                    START,
                    r#"write retry:200|{"streamNextOffset":"0","streamCursor":"1000000","upToDate":true} id 0"#,
                    "close",
                    waits,
                    START_AGAIN,
                ],
            );
        }
    }

    const START_AGAIN: &str = "ask 0000000000000000_0000000000000000 cursor 999999";

    #[test]
    fn a_stream_that_is_gone_ends_the_connection_and_is_not_asked_again() {
        let gone = vec![greeting(0), message(LiveMessage::Gone.encode())];
        let told = r#"write retry:200|{"streamNextOffset":"0","streamCursor":"1000000","upToDate":true} id 0"#;
        check([Says::Socket(gone)], &[START, told, "close"]);
        check([Says::Socket(vec![greeting(0), Happens::ClientLeaves(event(1, "a", false))])], &[START, told, "close"]);
    }

    #[test]
    fn answers_that_lead_nowhere_and_messages_of_another_version_are_not_asked_for_without_a_pause() {
        let unknown = vec![greeting(0), message(Bytes::from_static(&[9; 40]))];
        check(
            [page(0, "", true), page(0, "", true), Says::Socket(unknown), Says::Reply(Response::new(404))],
            &[
                START,
                "write retry:200",
                "sleep 50",
                START_AGAIN,
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
        // With the script's randomness, which is zero, it lasts a tenth less than a minute.
        check(
            [Says::Socket(vec![greeting(0)])],
            &[
                START,
                r#"write retry:200|{"streamNextOffset":"0","streamCursor":"1000000","upToDate":true} id 0"#,
                "write :",
                "write :",
                "write :",
                r#"write {"streamNextOffset":"0","streamCursor":"1040000","upToDate":true} id 0"#,
                "close",
            ],
        );
    }

    #[test]
    fn a_comment_comes_only_after_so_long_a_silence() {
        let quiet = |ms| Happens::Quiet(ms);
        let said = |position| message(event(position, "x", false));
        // The connection lasts for 54 s.
        let happens = vec![greeting(0), quiet(14_999), said(1), quiet(14_999), said(2), quiet(15_001), said(3)];
        let expected = [
            START,
            r#"write retry:200|{"streamNextOffset":"0","streamCursor":"1000000","upToDate":true} id 0"#,
            r#"write x id 1|{"streamNextOffset":"1","streamCursor":"1000001","upToDate":true}"#,
            r#"write x id 2|{"streamNextOffset":"2","streamCursor":"1000002","upToDate":true}"#,
            "write :",
            r#"write x id 3|{"streamNextOffset":"3","streamCursor":"1000003","upToDate":true}"#,
            r#"write {"streamNextOffset":"3","streamCursor":"1040000","upToDate":true} id 3"#,
            "close",
        ];
        check([Says::Socket(happens)], &expected);
    }

    #[test]
    fn a_connection_that_has_brought_nothing_tells_no_position_at_its_end() {
        let torn = || Says::Torn(Response::new(200).with(header::STREAM_NEXT_OFFSET, at(3).to_string()));
        for from in [ReadFrom::At(at(2)), ReadFrom::Start, ReadFrom::Now] {
            let notes = heard(from, [torn(), Says::Reply(Response::new(503))]);
            let told: Vec<&String> = notes.iter().filter(|note| note.starts_with("write ")).collect();
            assert_eq!(told, ["write retry:200"], "{notes:?}");
        }
        // What it has told before holds.
        let notes = heard(ReadFrom::Start, [page(2, "ab", false), torn()]);
        let last = r#"write {"streamNextOffset":"2","streamCursor":"1000002"} id 2"#;
        assert_eq!(notes.last().map(String::as_str), Some(last));
    }

    #[test]
    fn an_object_that_keeps_failing_is_asked_seldom_and_only_as_long_as_the_connection_lasts() {
        let notes = heard(ReadFrom::At(at(0)), [Says::Socket(vec![greeting(0), Happens::Cut])]);
        let asks = notes.iter().filter(|note| note.starts_with("ask")).count();
        let slept: u64 = notes.iter().filter_map(|note| note.strip_prefix("sleep ")?.parse::<u64>().ok()).sum();
        assert!((10..=30).contains(&asks), "{notes:?}");
        assert_eq!(slept, 54_000);
        let last = r#"write {"streamNextOffset":"0","streamCursor":"1040000"} id 0"#;
        assert_eq!(notes.last().map(String::as_str), Some(last));
    }
}
