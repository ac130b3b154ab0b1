//! A live reader: it waits for what comes, by long-polls or with events, and goes on from where it was whatever happens
//! to its connections.

use std::cell::RefCell;
use std::rc::Rc;

use tailrace_core::protocol::Method;
use tailrace_core::protocol::limits::KEEP_ALIVE_MS;

use super::context::ClientContext;
use super::control::{Control, read_piece};
use super::event_stream::EventReader;
use super::reader_control::ReaderControl;
use super::wire::{Ask, read};
use crate::judge::history::{Call, End, From, Mode, Parting};
use crate::judge::scenario::Scenario;
use crate::kernel::rt;
use crate::world::{AnswerBody, Piece};

/// How long a reader waits after an answer that brought nothing and took no time, in ms.
const PAUSE_MS: u64 = 50;

/// The wait after a first failure, in ms; each further one is twice as long, up to the longest.
const BACK_OFF_MS: (u64, u64) = (100, 1_600);

/// How long past the server's own time-out a reader waits for an answer, in ms.
const GRACE_MS: u64 = 8_000;

/// A reader of events that hears nothing at all for this long gives its connection up, in ms: it should have ended, with
/// keep-alives before.
const SILENCE_MS: u64 = 40_000;

/// How long nothing was written before a comment, at least, as its reader sees it, in ms: what came before it may have
/// been longer on its way.
const QUIET_MS: u64 = KEEP_ALIVE_MS - 1_000;

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

    fn ask(&self) -> Ask {
        let offset = match &self.from {
            From::Start => "-1",
            From::Now => "now",
            From::At(offset) => offset,
        };
        let live = match self.mode {
            Mode::LongPoll => "long-poll",
            Mode::Sse => "sse",
        };
        Ask::new(Method::Get, &Scenario::path(self.stream)).with_live(self.cursor, live, offset)
    }

    fn call(&self, reader: usize) -> Call {
        Call::Live { mode: self.mode, from: self.from.clone(), cursor: self.cursor, reader }
    }

    /// Asks once with a long-poll.
    async fn poll(&mut self, reader: usize) -> Outcome {
        let patience_ms = self.context.long_poll_ms + GRACE_MS;
        let op = self.context.ask(self.client, self.stream, self.call(reader), self.ask().build(), patience_ms).await;
        let answer = self.context.history.borrow().ops[op].definite().cloned();
        let Some(answer) = answer else { return Outcome::Failed };
        if let Some(over) = refusal(answer.status) {
            return Outcome::Over(over);
        }
        self.move_on(answer.next_offset, answer.cursor);
        match answer.status {
            _ if answer.closed => Outcome::Over(Parting::Closed),
            200 => Outcome::Progress,
            _ => Outcome::Nothing,
        }
    }

    /// Asks once for events, and reads them until the connection ends.
    async fn listen(&mut self, reader: usize) -> Outcome {
        let context = self.context.clone();
        let (op, patience_ms) = context.invoke(self.client, self.stream, self.call(reader));
        let Ok(opened) = context.world.open(self.ask().build(), patience_ms).await else {
            context.history.borrow_mut().complete(op, None, context.world.now_ms());
            return Outcome::Failed;
        };
        let answer = read(&opened.response);
        let status = answer.status;
        context.history.borrow_mut().complete(op, Some(answer), context.world.now_ms());
        if let Some(over) = refusal(status) {
            return Outcome::Over(over);
        }
        match opened.body {
            Some(body) if status == 200 => self.hear(reader, op, body).await,
            _ => Outcome::Failed,
        }
    }

    async fn hear(&mut self, reader: usize, op: usize, body: AnswerBody) -> Outcome {
        let context = self.context.clone();
        let mut events = EventReader::default();
        let mut progress = false;
        // When the last bytes came, if that was while the reader waited for them.
        let mut heard_ms = None;
        let end = loop {
            self.stall(reader).await;
            let waits_ms = context.world.now_ms();
            let bytes = match rt::within_ms(SILENCE_MS, body.next()).await {
                None => break End::Abandoned,
                Some(Piece::End) => break End::Finished,
                Some(Piece::Cut) => break End::Cut,
                Some(Piece::Bytes(bytes)) => bytes,
            };
            let now_ms = context.world.now_ms();
            let earlier_ms = std::mem::replace(&mut heard_ms, Some(now_ms).filter(|now_ms| *now_ms > waits_ms));
            if bytes.starts_with(b":") && earlier_ms.zip(heard_ms).is_some_and(|(from, to)| to - from < QUIET_MS) {
                let mut history = context.history.borrow_mut();
                let now = history.moment(now_ms);
                history.listening(op).defects.push((now, "a comment soon after something else".to_owned()));
            }
            let deliveries =
                read_piece(&mut context.history.borrow_mut(), op, &mut events, &bytes, context.world.now_ms());
            for Control { next_offset, cursor, closed, brings } in deliveries {
                progress |= brings;
                self.move_on(next_offset, cursor);
                if closed {
                    let end = self.take_leave(op, &body).await;
                    context.end_listening(op, end);
                    return Outcome::Over(Parting::Closed);
                }
            }
        };
        context.end_listening(op, end);
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
            Some(Piece::Bytes(_)) => (End::Abandoned, Some("something follows the close")),
            None => (End::Abandoned, Some("the connection goes on after the close")),
        };
        if let Some(defect) = defect.filter(|_| self.context.is_calm()) {
            let mut history = self.context.history.borrow_mut();
            let now = history.moment(self.context.world.now_ms());
            history.listening(op).defects.push((now, defect.to_owned()));
        }
        end
    }

    fn move_on(&mut self, next_offset: Option<String>, cursor: Option<u64>) {
        if let Some(next) = next_offset {
            self.from = From::At(next.clone());
            self.cursor = cursor.or(self.cursor);
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
        400..500 => Some(Parting::Refused),
        _ => None,
    }
}
