//! A live reader: it waits for what comes, by long-polls or with events, and goes on from where it was whatever happens
//! to its connections.

use bytes::Bytes;
use std::cell::RefCell;
use std::rc::Rc;

use tailrace_core::protocol::Method;
use tailrace_core::protocol::limits::KEEP_ALIVE_MS;

use super::browser::ClientBrowser;
use super::context::ClientContext;
use super::control::{Control, read_piece};
use super::event_source::EventSource;
use super::event_stream::EventReader;
use super::reader_control::ReaderControl;
use super::wire::{Ask, read};
use crate::judge::history::{Call, End, From, Mode, Parting};
use crate::kernel::rt;
use crate::world::{AnswerBody, Piece};

/// How long a reader waits after an answer that brought nothing and took no time, in ms.
pub(in crate::judge) const PAUSE_MS: u64 = 50;

/// The wait after a first failure, in ms; each further one is twice as long, up to the longest.
const BACK_OFF_MS: (u64, u64) = (100, 1_600);

/// How long past the server's own time-out a reader waits for an answer, in ms.
const GRACE_MS: u64 = 8_000;

/// A reader of events that hears nothing at all for this long gives its connection up, in ms: it should have ended,
/// with keep-alives before.
const SILENCE_MS: u64 = 40_000;

/// How long nothing was written before a comment, at least, as its reader sees it, in ms: what came before it may have
/// been longer on its way.
const QUIET_MS: u64 = KEEP_ALIVE_MS - 1_000;

/// For how long a reader has to wait for bytes until it knows that none were on their way before them, in ms: longer
/// than a piece of an answer takes in any world, unless it is said to be slow.
const BACKLOG_MS: u64 = 150;

/// The longest pause of a browser's `EventSource` that no reader notices, in ms.
const AWAY_MS: u64 = 5_000;

/// How long a reader that was told of the close waits for the connection's end, in ms.
const FAREWELL_MS: u64 = 2_000;

/// Answers in a row that brought nothing at once, after which a reader stops: the server sends it round in circles.
const FRUITLESS: u32 = 200;

/// Where a client's live readers of a stream are, for the next one that resumes.
pub(super) type Place = Rc<RefCell<Option<(String, Option<u64>)>>>;

/// A live reader.
pub(super) struct Follower {
    pub(super) context: Rc<ClientContext>,
    pub(super) client: usize,
    pub(super) stream: usize,
    pub(super) mode: Mode,
    pub(super) from: From,
    pub(super) cursor: Option<u64>,
    pub(super) reader_control: Rc<ReaderControl>,
    pub(super) place: Place,
    /// Its client's browser.
    pub(super) browser: ClientBrowser,
    /// Whether its long-polls go by way of that browser's cache.
    pub(super) asks_browser: bool,
    /// For events of a browser's `EventSource`; `None` for a client that minds the offsets itself.
    pub(super) event_source: Option<EventSource>,
}

/// What came of one request.
enum Outcome {
    /// Something was read.
    Progress,
    /// Nothing was.
    Nothing,
    /// No answer, or a failure of the service.
    Failed,
    /// There is nothing more to read.
    Over(Parting),
}

impl Follower {
    /// Reads until it is told to leave, or that there is nothing more.
    pub(super) async fn follow(mut self) {
        let reader_control = self.reader_control.clone();
        let reader = {
            let now_ms = self.context.world.now_ms();
            self.context.history.borrow_mut().join(self.client, self.stream, self.mode, now_ms)
        };
        // Every other reader reads in its client's browser.
        match self.mode {
            _ if reader % 2 == 0 => {}
            Mode::LongPoll => self.asks_browser = true,
            Mode::Sse => (self.event_source, self.cursor) = (Some(EventSource::new(self.from.clone())), None),
        }
        let parting = reader_control.unless_left(self.read_on(reader)).await.unwrap_or(Parting::Left);
        let now_ms = self.context.world.now_ms();
        self.context.history.borrow_mut().part(reader, parting, now_ms);
    }

    async fn read_on(&mut self, reader: usize) -> Parting {
        let (mut failures, mut fruitless) = (0, 0);
        loop {
            self.stall(reader).await;
            let asked_ms = self.context.world.now_ms();
            let outcome = match self.mode {
                Mode::LongPoll => self.poll(reader).await,
                Mode::Sse => self.listen(reader).await,
            };
            let is_quick = self.context.world.now_ms() < asked_ms + 1_000;
            if let Some(source) = self.event_source.as_ref().filter(|_| !matches!(outcome, Outcome::Over(_))) {
                // One that is told to come back much later is away as if it stalled.
                if source.retry_ms > AWAY_MS {
                    let now_ms = self.context.world.now_ms();
                    let away = (now_ms, now_ms + source.retry_ms);
                    self.context.history.borrow_mut().readers[reader].stalls.push(away);
                }
                rt::sleep_ms(source.retry_ms).await;
                continue;
            }
            match outcome {
                Outcome::Over(parting) => return parting,
                Outcome::Progress => (failures, fruitless) = (0, 0),
                Outcome::Nothing => {
                    failures = 0;
                    fruitless = if is_quick { fruitless + 1 } else { 0 };
                    if fruitless > FRUITLESS {
                        return Parting::Refused;
                    }
                    rt::sleep_ms(PAUSE_MS).await;
                }
                Outcome::Failed => {
                    let (first_ms, longest_ms) = BACK_OFF_MS;
                    rt::sleep_ms((first_ms << failures).min(longest_ms)).await;
                    failures = (failures + 1).min(8);
                }
            }
        }
    }

    fn ask(&self, key: Option<&str>) -> Ask {
        let (from, last_id) = match &self.event_source {
            Some(source) => (&source.begins, source.last_id.clone()),
            None => (&self.from, None),
        };
        let offset = match from {
            From::Start => "-1",
            From::Now => "now",
            From::At(offset) => offset,
        };
        let live = match self.mode {
            Mode::LongPoll => "long-poll",
            Mode::Sse => "sse",
        };
        // Which client it is decides how it orders the parameters.
        let is_in_order = self.client % 3 != 1;
        let ask = Ask::new(Method::Get, &self.context.url_path(self.stream));
        let ask = ask.with_live(self.cursor, live, offset, is_in_order).with_reader_key(key);
        match last_id {
            Some(last_id) => ask.with("last-event-id", last_id),
            None => ask,
        }
    }

    fn call(&self, reader: usize, revalidates: Option<usize>) -> Call {
        Call::Live { mode: self.mode, from: self.from.clone(), cursor: self.cursor, reader, revalidates }
    }

    /// Asks once with a long-poll.
    async fn poll(&mut self, reader: usize) -> Outcome {
        let patience_ms = self.context.long_poll_ms + GRACE_MS;
        let call = |revalidates| self.call(reader, revalidates);
        let key = self.context.reader_key(self.client, self.stream);
        let request = |tag: Option<&str>| match tag {
            Some(tag) => self.ask(key.as_deref()).with("if-none-match", tag).build(),
            None => self.ask(key.as_deref()).build(),
        };
        let op = match self.asks_browser {
            true => self.browser.ask(self.stream, patience_ms, call, request).await,
            false => self.context.ask(self.client, self.stream, call(None), request(None), patience_ms).await,
        };
        let (answer, cursor) = {
            let history = self.context.history.borrow();
            let op = &history.ops[op];
            let Some(told) = op.definite() else { return Outcome::Failed };
            // What a 304 confirms is what its reader has, with the fields that the 304 brings.
            let answer = history.shown(op).unwrap_or(told).clone();
            let cursor = told.cursor.or(answer.cursor);
            (answer, cursor)
        };
        if let Some(over) = refusal(answer.status) {
            return Outcome::Over(over);
        }
        // What a browser has kept comes in no time, so a reader whom it leads nowhere has to pause: it would be handed
        // the same again and again, as long as that is fresh.
        let leads_on = match (&self.from, &answer.next_offset) {
            (From::At(from), Some(next)) => next > from,
            (_, next) => next.is_some(),
        };
        self.move_on(answer.next_offset, cursor);
        match answer.status {
            401 => Outcome::Failed,
            _ if answer.closed => Outcome::Over(Parting::Closed),
            200 if leads_on => Outcome::Progress,
            _ => Outcome::Nothing,
        }
    }

    /// Asks once for events, and reads them until the connection ends.
    async fn listen(&mut self, reader: usize) -> Outcome {
        let context = self.context.clone();
        if let (Some(source), Some(pass)) = (&mut self.event_source, context.reading_pass(self.client, self.stream)) {
            source.use_token(&pass.token, &self.from);
        }
        let (op, number, patience_ms) = context.invoke(self.client, self.stream, self.call(reader, None));
        context.history.borrow_mut().ops[op].last_event_id =
            self.event_source.as_ref().and_then(|source| source.last_id.clone());
        let key = context.reader_key(self.client, self.stream);
        let mut request = self.ask(key.as_deref()).build();
        context.show(op, &mut request);
        let Ok(opened) = context.near(self.client).open(number, request, patience_ms).await else {
            context.complete(op, None);
            return Outcome::Failed;
        };
        let answer = read(&opened.response);
        let status = answer.status;
        context.complete(op, Some(answer));
        if let Some(over) = refusal(status) {
            return Outcome::Over(over);
        }
        match &self.event_source {
            // By this an `EventSource` knows that there is nothing more.
            Some(_) if status == 204 => return Outcome::Over(Parting::Closed),
            // A failure ends it for good, unless it had begun: then its page begins anew.
            // With another token its page has another one, too.
            Some(source) if !matches!(status, 200 | 401 | 429) && source.last_id.is_some() => {
                return Outcome::Over(Parting::Refused);
            }
            _ => {}
        }
        match opened.body {
            Some(body) if status == 200 => self.hear(reader, op, body).await,
            None if status == 200 => self.come_again(op, &opened.response.body),
            _ => Outcome::Failed,
        }
    }

    /// Takes an answer that is complete at once: it stands for a failure.
    fn come_again(&mut self, op: usize, body: &[u8]) -> Outcome {
        let (now_ms, mut events) = (self.context.world.now_ms(), EventReader::default());
        read_piece(&mut self.context.history.borrow_mut(), op, &mut events, body, false, now_ms);
        if let (Some(source), Some(retry_ms)) = (&mut self.event_source, events.retry_ms()) {
            source.retry_ms = retry_ms;
            self.context.history.borrow_mut().name_hidden_failure(op);
        }
        self.context.end_listening(op, End::Finished);
        Outcome::Nothing
    }

    async fn hear(&mut self, reader: usize, op: usize, body: AnswerBody) -> Outcome {
        let context = self.context.clone();
        let mut events = EventReader::default();
        let (mut progress, mut pieces) = (false, 0);
        // When the last bytes came, if the reader waited for them for so long that they came as soon as they were sent:
        // of many that follow one another each takes its time, and the ones after them are late.
        let mut heard_ms = None;
        // What has come of a write.
        let mut parts = Vec::new();
        let end = loop {
            self.stall(reader).await;
            let waits_ms = context.world.now_ms();
            let (last, ends) = match rt::within_ms(SILENCE_MS, body.next()).await {
                None => (Bytes::new(), Some(End::Abandoned)),
                Some(Piece::End) => (Bytes::new(), Some(End::Finished)),
                Some(Piece::Cut) => (Bytes::new(), Some(End::Cut)),
                Some(Piece::Bytes(bytes)) => (bytes, None),
                Some(Piece::Part(bytes)) => {
                    parts.extend_from_slice(&bytes);
                    continue;
                }
            };
            let bytes =
                if parts.is_empty() { last } else { [std::mem::take(&mut parts), last.to_vec()].concat().into() };
            if let Some(end) = ends.filter(|_| bytes.is_empty()) {
                break end;
            }
            pieces += 1;
            let number = (op as u64) << 16 | pieces;
            // The first piece tells a connection from a failure that is hidden.
            let source = self.event_source.as_mut().filter(|_| pieces > 1);
            let cut = source.and_then(|source| source.cut(number, bytes.len()));
            let (bytes, is_cut) = (bytes.slice(..cut.unwrap_or(bytes.len())), cut.is_some() || ends.is_some());
            let now_ms = context.world.now_ms();
            let earlier_ms =
                std::mem::replace(&mut heard_ms, Some(now_ms).filter(|now_ms| *now_ms > waits_ms + BACKLOG_MS));
            let is_comment = bytes.starts_with(b":") && !events.is_inside_event();
            if is_comment && earlier_ms.zip(heard_ms).is_some_and(|(from, to)| to - from < QUIET_MS) {
                context.history.borrow_mut().listening(op).comments_hastily = true;
            }
            let deliveries = {
                let mut history = context.history.borrow_mut();
                let deliveries = read_piece(&mut history, op, &mut events, &bytes, is_cut, now_ms);
                let new = history.listening(op).deliveries.iter_mut().rev().take(deliveries.len());
                new.for_each(|delivery| delivery.left_ms = Some(body.left_ms()));
                deliveries
            };
            if let Some(source) = &mut self.event_source {
                source.retry_ms = events.retry_ms().unwrap_or(source.retry_ms);
            }
            for Control { next_offset, cursor, closed, brings } in deliveries {
                progress |= brings;
                self.move_on(next_offset, cursor);
                if closed {
                    let end = self.take_leave(op, &body).await;
                    context.end_listening(op, end);
                    // A browser does not know yet: it comes back, and is told so.
                    return if self.event_source.is_some() {
                        Outcome::Progress
                    } else {
                        Outcome::Over(Parting::Closed)
                    };
                }
            }
            if is_cut {
                context.history.borrow_mut().listening(op).is_cut_by_client = ends.is_none();
                break ends.unwrap_or(End::Cut);
            }
        };
        context.end_listening(op, end);
        if self.event_source.is_some() && pieces <= 1 && end == End::Finished {
            context.history.borrow_mut().name_hidden_failure(op);
        }
        match end {
            _ if progress => Outcome::Progress,
            End::Finished => Outcome::Nothing,
            End::Cut | End::Abandoned => Outcome::Failed,
        }
    }

    /// After the close nothing comes but the end of the connection, and that soon.
    async fn take_leave(&self, op: usize, body: &AnswerBody) -> End {
        let (end, defect) = match rt::within_ms(FAREWELL_MS, body.next()).await {
            Some(Piece::End) => (End::Finished, None),
            Some(Piece::Cut) => (End::Cut, None),
            Some(Piece::Bytes(_) | Piece::Part(_)) => (End::Abandoned, Some("something follows the close")),
            None => {
                self.context.history.borrow_mut().listening(op).lingers = true;
                (End::Abandoned, None)
            }
        };
        if let Some(defect) = defect {
            let mut history = self.context.history.borrow_mut();
            let now = history.moment(self.context.world.now_ms());
            history.listening(op).defects.push((now, defect.to_owned()));
        }
        end
    }

    fn move_on(&mut self, next_offset: Option<String>, cursor: Option<u64>) {
        if let Some(next) = next_offset {
            self.from = From::At(next.clone());
            match &mut self.event_source {
                Some(source) => source.move_on(next.clone()),
                None => self.cursor = cursor.or(self.cursor),
            }
            self.place.replace(Some((next, self.cursor)));
        }
    }

    /// Neither asks nor reads for as long as its session wants it to.
    async fn stall(&self, reader: usize) {
        let begin_ms = self.context.world.now_ms();
        let end_ms = self.reader_control.stalled_until_ms();
        if end_ms > begin_ms {
            self.context.history.borrow_mut().readers[reader].stalls.push((begin_ms, end_ms));
            rt::sleep_ms(end_ms - begin_ms).await;
        }
    }
}

/// What a refusal means for a reader; none for what a retry may mend.
fn refusal(status: u16) -> Option<Parting> {
    match status {
        404 | 410 => Some(Parting::Gone),
        // Its token has expired: it asks with another one. Or it has come too often.
        401 | 429 => None,
        400..500 => Some(Parting::Refused),
        _ => None,
    }
}
