//! The object of one stream: the sequencer of its URL.

use std::cell::{Cell, RefCell};

use bytes::Bytes;

use super::agenda::{Agenda, Duty, Entry};
use super::audience::{Audience, News};
use super::cold::ColdCache;
use super::early_alarms::EarlyAlarms;
use super::failure::Failure;
use super::handler::Handler;
use super::{Settings, answer, debug, sweep_duty};
use crate::mutant::mutated;
use crate::protocol::message::{Append, Create, Fork, Message, Operation, Read};
use crate::protocol::{Admission, CacheControl, ErrorCode, Incarnation, ReadFrom, Refusal, Response, header};
use crate::runtime::{Actor, ActorState, AlarmFailure, ObjectAnswer, ObjectRequest, Upgrade, marks};
use crate::storage::{SqlError, SqlStorage, schema};
use crate::stream::{AppendOutcome, CreateCommand, CreateOutcome, Page, Slot, Stored, Stream};

/// The object of one stream.
///
/// Every request except a read from R2 is one synchronous turn: it awaits nothing, so no request sees another one half
/// done. All other work with R2 is done by the alarm.
pub struct StreamObject<S: ActorState> {
    pub(super) state: S,
    pub(super) settings: Settings,
    /// A random name of this instance, shown in debug headers.
    instance: Incarnation,
    /// What storage holds; `None` before it is loaded, and again after a failure.
    slot: RefCell<Option<Slot>>,
    pub(super) agenda: Agenda,
    /// The fetches from R2 that are under way, and recent indexes.
    pub(super) cold: ColdCache,
    /// Whether this instance has told its operator that few segments are left.
    pub(super) has_warned: Cell<bool>,
    /// Alarms of this instance that came too early.
    pub(super) early_alarms: EarlyAlarms,
    /// The alarm's handler, while it runs.
    pub(super) handler: Handler,
    /// The readers that wait for new data.
    pub(super) audience: Audience,
}

/// What follows a removal in its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Nothing: what an object without a stream has no use for goes.
    Nothing,
    /// A creation, which may need it.
    Creation,
}

/// Loads what storage holds, and migrates it if an earlier version wrote it.
fn load<S: ActorState>(state: &S, agenda: &Agenda) -> Result<Slot, SqlError> {
    let sql = state.sql();
    let tables = schema::tables(sql)?;
    agenda.found(tables.agenda);
    let version = match Slot::load_from(sql, &tables)? {
        Stored::Slot(slot) => return Ok(slot),
        Stored::Outdated { version } => version,
    };
    agenda.forget();
    sql.transaction(|| {
        schema::migrate(sql, version, &state.fresh_reader_key())?;
        let slot = Slot::load(sql)?;
        if let Slot::Occupied(stream) = &slot
            && stream.first_sealed().is_some()
        {
            // The first version did not move segments to R2.
            agenda.insert_if_absent(state, &Entry::new(Duty::Rotate, state.now_ms()))?;
        }
        state.sometimes(marks::SCHEMA_MIGRATED);
        Ok(slot)
    })
}

impl<S: ActorState> Actor<S> for StreamObject<S> {
    type Settings = Settings;

    fn new(state: S, settings: Settings) -> Self {
        let instance = state.fresh_id();
        // After a failure the first request loads again, and tells its client if that fails too.
        let agenda = Agenda::default();
        let slot = load(&state, &agenda).inspect_err(|error| tracing::error!(%error, "an object does not start")).ok();
        let audience =
            Audience::new(settings.waits, settings.policy, settings.limits.page_bytes, settings.memory.pushed_bytes);
        Self {
            state,
            settings,
            instance,
            slot: RefCell::new(slot),
            agenda,
            cold: ColdCache::default(),
            has_warned: Cell::default(),
            early_alarms: EarlyAlarms::default(),
            handler: Handler::default(),
            audience,
        }
    }

    async fn call(&self, request: ObjectRequest) -> ObjectAnswer {
        let Some(message) = Message::decode(&request.message) else {
            return ObjectAnswer::Response(unknown_message());
        };
        // Counting costs a crossing on Workers, and only a debug header tells it.
        let rows_before = message.debug.then(|| (self.state.rows_written(), self.state.rows_read()));
        if !self.agenda.has_looked() {
            self.restore_lost_alarm();
        }
        let body = self.body(&message, &request.body);
        let response = match self.answer(&message, body).await {
            Ok(ObjectAnswer::Response(response)) => response,
            Ok(ObjectAnswer::Upgrade(upgrade)) => {
                let otherwise = upgrade.otherwise.with_common();
                return ObjectAnswer::Upgrade(Upgrade { otherwise, ..upgrade });
            }
            Err(failure) => failure.hiding_absence(message.admission).into_response(),
        };
        let response = response.with_common();
        let mut response = if message.operation == Operation::Head { response.without_body() } else { response };
        if !message.admission.is_guarded() {
            response.headers.remove(&[header::TAILRACE_READERS]);
        }
        let Some((written_before, read_before)) = rows_before else { return ObjectAnswer::Response(response) };
        let rows = self.state.rows_written() - written_before;
        let rows_read = debug::rows_read(read_before, self.state.rows_read());
        let summary = match message.operation {
            Operation::Head => self.with_slot(|slot| Ok(debug::cold_summary(&self.agenda, &self.state, slot)?)).ok(),
            _ => None,
        };
        // What it tells about this instance is for the one who has asked. A cache in front goes by the URL alone.
        if !mutated!(DebugAnswerKept) {
            response.headers.remove(&[header::CACHE_CONTROL]);
            response.headers.push(header::CACHE_CONTROL, CacheControl::NoStore.to_string());
        }
        ObjectAnswer::Response(
            response
                .with_some(header::TAILRACE_COLD, summary)
                .with(header::TAILRACE_INSTANCE, self.instance.as_str())
                .with_some(header::TAILRACE_ROWS_READ, rows_read)
                .with(header::TAILRACE_ROWS_WRITTEN, rows.to_string()),
        )
    }

    async fn alarm(&self) -> Result<(), AlarmFailure> {
        self.state.sometimes(marks::ALARM_HANDLED);
        self.do_what_is_due().await.map_err(|error| Failure::from(error).into_alarm_failure())
    }
}

/// The response to a message of another version: while a release is deployed, its edges may reach objects of the one
/// before, and the other way round.
pub(super) fn unknown_message() -> Response {
    tracing::warn!("a message of another version");
    let message = "another release is being deployed; nothing was applied";
    Response::refusal(&Refusal::new(ErrorCode::DeployUnderWay, message)).with_common()
}

impl<S: ActorState> StreamObject<S> {
    /// Runs `body` with what storage holds. If the storage fails, what memory holds may be ahead of it and is dropped.
    pub(super) fn with_slot<T>(&self, body: impl FnOnce(&mut Slot) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut guard = self.slot.borrow_mut();
        let mut slot = match guard.take() {
            Some(slot) => slot,
            None => load(&self.state, &self.agenda)?,
        };
        let result = body(&mut slot);
        if !matches!(result, Err(Failure::Storage(_))) || mutated!(MemoryKeptAfterFailedStatement) {
            *guard = Some(slot);
        }
        result
    }

    /// Runs `body`, and undoes what it wrote if it fails; memory then does not know the agenda any more.
    pub(super) fn transaction<T>(&self, body: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
        self.state.sql().transaction(body).inspect_err(|_| self.agenda.forget())
    }

    /// The body of a request, or why it cannot be kept.
    fn body<'a>(&self, message: &Message, body: &'a Bytes) -> Result<&'a Bytes, Refusal> {
        let limit = self.settings.limits.body_bytes;
        if message.body_too_large || body.len() > limit {
            return Err(Refusal::new(ErrorCode::BodyTooLarge, format!("a body holds at most {limit} bytes")));
        }
        if message.body_encoded && !body.is_empty() {
            let message = "Content-Encoding is not identity; content is stored as it was sent";
            return Err(Refusal::new(ErrorCode::UnsupportedContentEncoding, message));
        }
        Ok(body)
    }

    async fn answer(&self, message: &Message, body: Result<&Bytes, Refusal>) -> Result<ObjectAnswer, Failure> {
        let Message { admission, operation, .. } = message;
        if admission.is_stranger() {
            self.admit_stranger(operation)?;
        }
        if let Operation::Read(read) = operation {
            return match read.live {
                Some(live) => self.live_read(read, live, *admission).await,
                None => self.read(read, *admission).await.map(ObjectAnswer::Response),
            };
        }
        if let Operation::EventRest(rest) = operation {
            return self.event_rest(rest, *admission).await;
        }
        let now_ms = self.state.now_ms();
        let response = self.with_slot(|slot| match operation {
            Operation::Create(create) => self.create(slot, now_ms, create, *admission, body),
            Operation::Fork(fork) => self.fork(slot, now_ms, fork),
            Operation::Append(append) => self.append(slot, now_ms, append, body),
            Operation::RotateReaderKey => self.rotate_reader_key(slot, now_ms),
            Operation::Head | Operation::Read(_) | Operation::EventRest(_) => self.head(slot, now_ms, *admission),
            Operation::Delete => self.delete(slot, now_ms),
        });
        response.map(ObjectAnswer::Response)
    }

    fn create(
        &self,
        slot: &mut Slot,
        now_ms: u64,
        create: &Create,
        admission: Admission,
        body: Result<&Bytes, Refusal>,
    ) -> Result<Response, Failure> {
        let sql = self.state.sql();
        self.stay_for_readers(slot, now_ms)?;
        // At a URL that never had a stream there is nothing to remove, and nothing to ask for.
        let is_first = matches!(slot, Slot::Vacant { next_read_seq: 0 });
        if !is_first && slot.living(now_ms).is_err() && self.agenda.has_most_removals(&self.state)? {
            let message = "too many earlier streams of this URL are still being deleted; try again later";
            return Err(Refusal::new(ErrorCode::ColdStorageUnavailable, message).into());
        }
        let (incarnation, reader_key) = self.state.fresh_id_and_reader_key();
        let command = CreateCommand { now_ms, incarnation, reader_key, create, body };
        let predecessor = slot.incarnation().cloned();
        // One transaction creates the stream and the duty to expire it.
        let outcome = self.transaction(|| {
            if matches!(slot, Slot::Occupied(stream) if stream.is_expired(now_ms)) {
                // The stream has expired, and its alarm has not run yet.
                self.remove_rows(slot, now_ms, Then::Creation)?;
            }
            let outcome = slot.create(sql, &self.settings.limits, command)?;
            if let (CreateOutcome::Created, Slot::Occupied(stream)) = (&outcome, &*slot) {
                self.handler.look_again();
                match stream.ends_ms() {
                    Some(ends_ms) => self.agenda.upsert(&self.state, &Entry::new(Duty::Expire, ends_ms))?,
                    None => self.agenda.delete(&self.state, Duty::Expire, "")?,
                }
                if stream.first_sealed().is_some() {
                    self.schedule_rotation(now_ms)?;
                }
                debug_assert!(
                    self.state.sql().holds(|| self.agenda.has_duties_of(&self.state, stream)),
                    "a creation enters what it makes necessary"
                );
            }
            self.keep_only_tombstone(slot)?;
            Ok::<_, SqlError>(outcome)
        })?;
        if let Some(predecessor) = predecessor.filter(|predecessor| slot.incarnation() != Some(predecessor)) {
            self.audience.dismiss(&self.state, &predecessor);
        }
        let is_new = match outcome {
            CreateOutcome::Created => true,
            CreateOutcome::Exists => false,
            CreateOutcome::Refused(refusal) => return Err(refusal.into()),
        };
        match slot {
            Slot::Occupied(stream) => Ok(answer::created(stream, create, is_new, admission)),
            Slot::Vacant { .. } => Err(SqlError::new("a created stream is not there").into()),
        }
    }

    /// Answers the source of a fork. Problems with the source are reported before the answer that forks are not
    /// offered.
    fn fork(&self, slot: &mut Slot, now_ms: u64, fork: &Fork) -> Result<Response, Failure> {
        let stream = self.living(slot, now_ms)?;
        if let Some(offset) = fork.offset {
            stream.resolve(ReadFrom::At(offset))?;
        }
        if fork.content_type.as_ref().is_some_and(|content_type| *content_type != stream.content_type) {
            let message = format!("the source's content type is {}", stream.content_type.as_str());
            return Err(Refusal::new(ErrorCode::ContentTypeMismatch, message).into());
        }
        Err(Refusal::new(ErrorCode::NotImplemented, "forks are not offered").into())
    }

    /// Sets the alarm again if the platform has given it up.
    fn restore_lost_alarm(&self) {
        if let Err(error) = self.agenda.restore_lost_alarm(&self.state) {
            // If the request needs the storage, it fails by itself and tells its client.
            tracing::error!(%error, "an overdue alarm was not looked for");
        }
    }

    fn append(
        &self,
        slot: &mut Slot,
        now_ms: u64,
        append: &Append,
        body: Result<&Bytes, Refusal>,
    ) -> Result<Response, Failure> {
        let is_empty = body.as_ref().is_ok_and(|bytes| bytes.is_empty());
        if is_empty && !append.close {
            return Err(Refusal::new(ErrorCode::EmptyBody, "an append needs a body, or Stream-Closed: true").into());
        }
        if !is_empty && append.content_type.is_none() {
            return Err(Refusal::new(ErrorCode::InvalidContentType, "an append needs a Content-Type").into());
        }
        let stream = self.living(slot, now_ms)?;
        let bytes = body?;
        let start = stream.tail.offset;
        let text_end = self.audience.text_end_before_news(&self.state, stream)?;
        let sealed = || self.schedule_rotation(now_ms);
        let (sql, limits) = (self.state.sql(), &self.settings.limits);
        let written = |stream: &mut Stream| {
            let outcome = stream.append(sql, limits, now_ms, append, bytes, sealed);
            outcome.inspect_err(|_| self.agenda.forget())
        };
        let mut outcome = written(stream);
        if matches!(&outcome, Err(error) if error.is_full) {
            self.state.sometimes(marks::DATABASE_TOO_FULL_FOR_APPEND);
            if stream.make_room(sql)? {
                self.state.sometimes(marks::APPEND_MADE_ROOM);
                outcome = written(stream);
            }
        }
        let has_no_room = match &outcome {
            Ok(AppendOutcome::Refused(refusal)) => refusal.code == ErrorCode::StorageFull,
            Ok(_) => false,
            Err(error) => error.is_full,
        };
        if has_no_room {
            self.restore_lost_alarm();
        }
        let outcome = outcome?;
        if let AppendOutcome::Appended { content, .. } = &outcome {
            debug_assert!(
                self.state.sql().holds(|| self.agenda.has_duties_of(&self.state, stream)),
                "an append enters what it makes necessary"
            );
            self.audience.tell(&self.state, stream, &News { start, text_end, content, now_ms });
            if mutated!(AlarmSetAtEachWrite) {
                self.agenda.set_alarm_again(&self.state)?;
            }
        } else {
            // What nothing was written for is told by storage too: an instance that has lost it fails here, instead of
            // refusing, or confirming, what its successor knows better.
            stream.strong_tail(self.state.sql())?;
        }
        match outcome {
            AppendOutcome::Duplicate { .. } => self.state.sometimes(marks::APPEND_DEDUPLICATED),
            AppendOutcome::StaleEpoch { .. } => self.state.sometimes(marks::STALE_EPOCH_REFUSED),
            AppendOutcome::Appended { took_place: true, .. } => self.state.sometimes(marks::IDLE_PRODUCER_GAVE_WAY),
            AppendOutcome::Appended { rows: 2.., .. } => self.state.sometimes(marks::APPEND_SPANNED_ROWS),
            AppendOutcome::Refused(Refusal { code: ErrorCode::TooManyProducers, .. }) => {
                self.state.sometimes(marks::APPEND_REFUSED_TOO_MANY_PRODUCERS);
            }
            AppendOutcome::Refused(Refusal { code: ErrorCode::StorageFull, .. }) => {
                self.state.sometimes(marks::APPEND_REFUSED_STORAGE_FULL);
            }
            _ => {}
        }
        Ok(answer::appended(stream, append, outcome))
    }

    async fn read(&self, read: &Read, admission: Admission) -> Result<Response, Failure> {
        self.with_page(read.from, admission, |stream, page, now_ms| {
            self.touch_after_read(stream, &page, read.is_kept && !page.up_to_date, now_ms)?;
            Ok(match read.from {
                ReadFrom::Now => answer::now(stream, page),
                _ => answer::page(stream, page, read, &self.settings.policy, now_ms),
            })
        })
        .await
    }

    /// Extends a sliding lifetime, as every read of a page does: of one that is kept for others, for them as well.
    pub(super) fn touch_after_read(
        &self,
        stream: &mut Stream,
        page: &Page,
        is_kept: bool,
        now_ms: u64,
    ) -> Result<(), SqlError> {
        if page.inside_append {
            self.state.sometimes(marks::PAGE_ENDED_INSIDE_APPEND);
        }
        match is_kept && !mutated!(KeptPageDoesNotTouchAhead) {
            true => stream.touch_ahead(self.state.sql(), now_ms),
            false => stream.touch(self.state.sql(), now_ms),
        }
    }

    fn head(&self, slot: &mut Slot, now_ms: u64, admission: Admission) -> Result<Response, Failure> {
        let stream = self.living(slot, now_ms)?;
        if mutated!(HeadTouches) {
            stream.touch(self.state.sql(), now_ms)?;
        }
        if !mutated!(HeadFromMemory) {
            stream.tail = stream.strong_tail(self.state.sql())?;
        }
        Ok(answer::head(stream, admission))
    }

    /// Gives the stream a new reader key. The readers that wait come back: what they would be answered by the old one's URLs
    /// would be kept for longer than is promised.
    fn rotate_reader_key(&self, slot: &mut Slot, now_ms: u64) -> Result<Response, Failure> {
        let stream = self.living(slot, now_ms)?;
        if !mutated!(ReaderKeyKept) {
            stream.rotate_reader_key(self.state.sql(), self.state.fresh_reader_key())?;
        }
        self.audience.dismiss(&self.state, &stream.incarnation);
        Ok(answer::rotated(stream))
    }

    /// Refuses what a client without a grant may not do, which is all but reading what is public. It is told the same where
    /// there is no stream, and nothing of the stream is looked at or changes.
    fn admit_stranger(&self, operation: &Operation) -> Result<(), Failure> {
        let is_read = matches!(operation, Operation::Read(_) | Operation::EventRest(_) | Operation::Head);
        let is_public = |slot: &Slot| matches!(slot, Slot::Occupied(stream) if stream.readers.is_everybody());
        let is_admitted = is_read
            && self.with_slot(|slot| {
                // Memory may be that of an instance that was superseded, and is asked again by the read itself.
                if !is_public(slot) {
                    *slot = Slot::load(self.state.sql())?;
                }
                Ok(is_public(slot))
            })?;
        if is_admitted { Ok(()) } else { Err(Refusal::no_token().into()) }
    }

    fn delete(&self, slot: &mut Slot, now_ms: u64) -> Result<Response, Failure> {
        self.living(slot, now_ms)?;
        self.remove(slot, now_ms)?;
        Ok(answer::deleted())
    }

    /// Removes the stream, and tells the readers that wait for it.
    pub(super) fn remove(&self, slot: &mut Slot, now_ms: u64) -> Result<(), SqlError> {
        let incarnation = slot.incarnation().cloned();
        self.remove_rows(slot, now_ms, Then::Nothing)?;
        if let Some(incarnation) = incarnation {
            self.audience.dismiss(&self.state, &incarnation);
        }
        Ok(())
    }

    /// Removes the rows, and in the same transaction schedules the deletion of the objects in R2.
    fn remove_rows(&self, slot: &mut Slot, now_ms: u64, then: Then) -> Result<(), SqlError> {
        let sql = self.state.sql();
        self.handler.look_again();
        self.transaction(|| {
            let removal = match &*slot {
                Slot::Occupied(stream) => Some(sweep_duty::removal(&self.agenda, &self.state, stream, now_ms)?),
                Slot::Vacant { .. } => None,
            };
            // The tables go first, so that the rest has room in a database that is full.
            slot.remove(sql)?;
            let may_be_empty =
                removal.map_or(Ok(false), |removal| removal.schedule(&self.agenda, &self.state, now_ms))?;
            if may_be_empty && then == Then::Nothing { self.keep_only_tombstone(slot) } else { Ok(()) }
        })
    }

    /// Drops what an object without a stream has no use for once its last duty is done: all but the tombstone.
    fn keep_only_tombstone(&self, slot: &Slot) -> Result<(), SqlError> {
        match slot {
            Slot::Vacant { .. } => self.agenda.drop_if_empty(&self.state),
            Slot::Occupied(_) => Ok(()),
        }
    }

    /// Deletes the entry of a duty that is done, and with the last duty of an object without a stream the agenda.
    pub(super) fn end_duty(&self, slot: &Slot, duty: Duty, subject: &str) -> Result<(), SqlError> {
        self.transaction(|| {
            self.agenda.delete(&self.state, duty, subject)?;
            self.keep_only_tombstone(slot)
        })
    }

    /// Lets a stream live on whose sliding TTL has run out, if a reader is connected to it.
    pub(super) fn stay_for_readers(&self, slot: &mut Slot, now_ms: u64) -> Result<(), SqlError> {
        if let Slot::Occupied(stream) = slot
            && stream.is_expired(now_ms)
            && !mutated!(ExpiresUnderReaders)
            && self.audience.has_reader(&self.state, &stream.incarnation, now_ms)
            && stream.stay(self.state.sql(), now_ms)?
        {
            self.state.sometimes(marks::STAYED_FOR_ITS_READERS);
        }
        Ok(())
    }

    /// The stream, unless there is none or it has expired. Either is read from storage in this very turn: an instance
    /// that has lost its storage must not deny a stream that its successor holds, or has kept alive.
    ///
    /// One that has expired, and that no reader is connected to, is removed at once: where the object starts next, the
    /// clock may show less than this one, and what was said to be gone must not be there again.
    pub(super) fn living<'a>(&self, slot: &'a mut Slot, now_ms: u64) -> Result<&'a mut Stream, Failure> {
        let is_over = match slot {
            Slot::Vacant { .. } => true,
            Slot::Occupied(stream) => stream.is_expired(now_ms),
        };
        if is_over && !mutated!(AbsenceFromMemory) {
            *slot = Slot::load(self.state.sql())?;
            self.stay_for_readers(slot, now_ms)?;
        }
        if let Slot::Occupied(stream) = &*slot
            && stream.is_expired(now_ms)
        {
            self.state.sometimes(marks::EXPIRED_BEFORE_ITS_ALARM);
            if !mutated!(ExpiredStreamKept | AbsenceFromMemory) {
                self.remove(slot, now_ms)?;
            }
        }
        Ok(slot.living(now_ms)?)
    }
}
