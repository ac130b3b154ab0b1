//! The object of one stream: the sequencer of its URL.

use std::cell::{Cell, RefCell};

use bytes::Bytes;

use super::agenda::{self, Duty, Entry};
use super::audience::{Audience, News};
use super::cold::ColdCache;
use super::{Settings, answer, sweep};
use crate::protocol::message::{Append, Create, Fork, Message, Operation, Read};
use crate::protocol::{ErrorCode, Expiry, Incarnation, ReadFrom, Refusal, header};
use crate::runtime::{Actor, ActorState, AlarmFailure, Connection, ObjectBody, ObjectRequest, Response};
use crate::storage::{SqlError, SqlStorage, schema};
use crate::stream::{AppendOutcome, CreateCommand, CreateOutcome, Page, Slot, Stream};

/// For how long an alarm begins further steps, in ms. Our choice: far below the 15 minutes that the platform gives a
/// handler (Cloudflare, Alarms), whatever one step takes.
const ALARM_MS: u64 = 60_000;

/// The object of one stream.
///
/// Every request but a read from R2 is one synchronous turn: it awaits nothing, so none sees another half done. What
/// takes R2 otherwise is done by the alarm.
pub struct StreamObject<S: ActorState> {
    pub(super) state: S,
    pub(super) settings: Settings,
    /// A random name of this start of the object, told in debug headers.
    instance: Incarnation,
    /// What storage holds; `None` before it is loaded, and again after a failure.
    slot: RefCell<Option<Slot>>,
    /// Reads from R2 that are under way.
    pub(super) cold: ColdCache,
    /// Whether a request has looked for an alarm that the platform has given up.
    has_revived: Cell<bool>,
    /// Who waits for what comes.
    pub(super) audience: Audience,
}

/// Why a request has no outcome.
pub(super) enum Failure {
    Refused(Refusal),
    Storage(SqlError),
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self::Storage(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

pub(super) fn random_id<S: ActorState>(state: &S) -> Incarnation {
    let mut bytes = [0; 16];
    state.fill_random(&mut bytes);
    Incarnation::from_random(bytes)
}

/// What storage holds, taken to this version if an earlier one wrote it.
fn load<S: ActorState>(state: &S) -> Result<Slot, SqlError> {
    let sql = state.sql();
    let Some(version) = schema::outdated(sql)? else { return Slot::load(sql) };
    sql.transaction(|| {
        schema::migrate(sql, version)?;
        let slot = Slot::load(sql)?;
        if let Slot::Occupied(stream) = &slot
            && stream.first_sealed().is_some()
        {
            // The first version moved nothing to R2.
            agenda::enter_once(state, &Entry::new(Duty::Rotate, state.now_ms()))?;
        }
        state.sometimes("schema_migrated");
        Ok(slot)
    })
}

impl<S: ActorState> Actor<S> for StreamObject<S> {
    type Settings = Settings;

    fn new(state: S, settings: Settings) -> Self {
        let instance = random_id(&state);
        // A failure shows, and is tried again, at the first request.
        let slot = load(&state).inspect_err(|error| tracing::error!(%error, "an object does not start")).ok();
        let audience = Audience::new(&state, settings.waits, settings.limits.page_bytes);
        Self {
            state,
            settings,
            instance,
            slot: RefCell::new(slot),
            cold: ColdCache::default(),
            has_revived: Cell::default(),
            audience,
        }
    }

    async fn fetch(&self, request: ObjectRequest) -> Response {
        match self.connect(request).await {
            Connection::Answer(response) => response,
            // The edge asks for what may have to wait by `connect`.
            Connection::Upgrade(_) => misunderstood(),
        }
    }

    async fn connect(&self, request: ObjectRequest) -> Connection {
        let rows_before = self.state.rows_written();
        if !self.has_revived.replace(true)
            && let Err(error) = agenda::revive(&self.state)
        {
            // What the request itself needs of the storage tells its client.
            tracing::error!(%error, "an overdue alarm was not looked for");
        }
        let Some(message) = Message::decode(&request.message) else {
            return Connection::Answer(misunderstood());
        };
        let response = match self.answer(&message.operation, &request.body).await {
            Ok(Connection::Answer(response)) => response,
            Ok(upgrade) => return upgrade,
            Err(Failure::Refused(refusal)) => Response::refusal(&refusal),
            Err(Failure::Storage(error)) => {
                tracing::error!(%error, "a request failed");
                Response::refusal(&Refusal::new(ErrorCode::StorageFailed, "the storage failed; nothing was changed"))
            }
        };
        let response = response.with_common(message.allow_origin.as_deref());
        let response = if message.operation == Operation::Head { response.without_body() } else { response };
        if !message.debug {
            return Connection::Answer(response);
        }
        let rows = self.state.rows_written() - rows_before;
        let summary = match message.operation {
            Operation::Head => self.with_slot(|slot| Ok(sweep::summary(&self.state, slot)?)).ok(),
            _ => None,
        };
        Connection::Answer(
            response
                .with_some(header::TAILRACE_COLD, summary)
                .with(header::TAILRACE_INSTANCE, self.instance.as_str())
                .with(header::TAILRACE_ROWS_WRITTEN, rows.to_string()),
        )
    }

    async fn alarm(&self) -> Result<(), AlarmFailure> {
        self.state.sometimes("alarm_fired");
        self.do_what_is_due().await.map_err(|failure| {
            let message = match failure {
                Failure::Storage(error) => error.message,
                Failure::Refused(refusal) => refusal.message.into_owned(),
            };
            tracing::error!(message, "the alarm failed");
            AlarmFailure { message }
        })
    }
}

/// The answer to what this version does not know.
fn misunderstood() -> Response {
    tracing::error!("a message that this version does not know");
    Response::refusal(&Refusal::new(ErrorCode::Internal, "edge and object do not understand each other"))
        .with_common(None)
}

impl<S: ActorState> StreamObject<S> {
    /// Runs `body` with what storage holds. Where storage fails, memory may have moved on without it: it is dropped.
    pub(super) fn with_slot<T>(&self, body: impl FnOnce(&mut Slot) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut guard = self.slot.borrow_mut();
        let mut slot = match guard.take() {
            Some(slot) => slot,
            None => load(&self.state)?,
        };
        let result = body(&mut slot);
        if !matches!(result, Err(Failure::Storage(_))) {
            *guard = Some(slot);
        }
        result
    }

    async fn answer(&self, operation: &Operation, body: &ObjectBody) -> Result<Connection, Failure> {
        if let Operation::Read(read) = operation {
            return match read.live {
                Some(live) => self.live_read(read, live).await,
                None => self.read(read).await.map(Connection::Answer),
            };
        }
        let now_ms = self.state.now_ms();
        let response = self.with_slot(|slot| match operation {
            Operation::Create(create) => self.create(slot, now_ms, create, body),
            Operation::Fork(fork) => self.fork(slot, now_ms, fork),
            Operation::Append(append) => self.append(slot, now_ms, append, body),
            Operation::Head | Operation::Read(_) => self.head(slot, now_ms),
            Operation::Delete => self.delete(slot, now_ms),
        });
        response.map(Connection::Answer)
    }

    fn create(&self, slot: &mut Slot, now_ms: u64, create: &Create, body: &ObjectBody) -> Result<Response, Failure> {
        let sql = self.state.sql();
        let incarnation = random_id(&self.state);
        let empty = Bytes::new();
        let body = match body {
            ObjectBody::Empty => Some(&empty),
            ObjectBody::Bytes(bytes) => Some(bytes).filter(|bytes| bytes.len() <= self.settings.limits.body_bytes),
            ObjectBody::TooLarge => None,
        };
        let command = CreateCommand { now_ms, incarnation, create, body };
        let predecessor = slot.incarnation().cloned();
        // The stream and the duty to end it come together.
        let outcome = sql.transaction(|| {
            if matches!(slot, Slot::Occupied(stream) if stream.is_expired(now_ms)) {
                // An expired stream whose alarm has not come yet makes room.
                self.remove_rows(slot, now_ms)?;
            }
            let outcome = slot.create(sql, &self.settings.limits, command)?;
            if let (CreateOutcome::Created, Slot::Occupied(stream)) = (&outcome, &*slot) {
                match stream.ends_ms() {
                    Some(ends_ms) => agenda::enter(&self.state, &Entry::new(Duty::Expire, ends_ms))?,
                    None => agenda::strike(&self.state, Duty::Expire, "")?,
                }
                if stream.first_sealed().is_some() {
                    self.enter_rotation(now_ms)?;
                }
                debug_assert!(agenda::has_duties_of(&self.state, stream), "a creation enters what it makes necessary");
            }
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
            Slot::Occupied(stream) => Ok(answer::created(stream, create, is_new)),
            Slot::Vacant { .. } => Err(SqlError::new("a created stream is not there").into()),
        }
    }

    /// Asked of the source of a fork: what is wrong with the source comes before that forks are not offered.
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

    fn append(&self, slot: &mut Slot, now_ms: u64, append: &Append, body: &ObjectBody) -> Result<Response, Failure> {
        let limit = self.settings.limits.body_bytes;
        let empty = Bytes::new();
        let bytes = match body {
            ObjectBody::Empty => Some(&empty),
            ObjectBody::Bytes(bytes) => Some(bytes).filter(|bytes| bytes.len() <= limit),
            ObjectBody::TooLarge => None,
        };
        let is_empty = bytes.is_some_and(Bytes::is_empty);
        if is_empty && !append.close {
            return Err(Refusal::new(ErrorCode::EmptyBody, "an append needs a body, or Stream-Closed: true").into());
        }
        if !is_empty && append.content_type.is_none() {
            return Err(Refusal::new(ErrorCode::InvalidContentType, "an append needs a Content-Type").into());
        }
        let stream = self.living(slot, now_ms)?;
        let Some(bytes) = bytes else {
            return Err(Refusal::new(ErrorCode::BodyTooLarge, format!("a body holds at most {limit} bytes")).into());
        };
        let start = stream.tail.offset;
        let sealed = || self.enter_rotation(now_ms);
        let outcome = stream.append(self.state.sql(), &self.settings.limits, now_ms, append, bytes, sealed)?;
        if let AppendOutcome::Appended { content, .. } = &outcome {
            debug_assert!(agenda::has_duties_of(&self.state, stream), "an append enters what it makes necessary");
            self.audience.tell(&self.state, stream, &News { start, content, now_ms });
        }
        match outcome {
            AppendOutcome::Duplicate { .. } => self.state.sometimes("append_deduplicated"),
            AppendOutcome::StaleEpoch { .. } => self.state.sometimes("stale_epoch_refused"),
            AppendOutcome::Appended { rows: 2.., .. } => self.state.sometimes("append_spanned_rows"),
            AppendOutcome::Refused(Refusal { code: ErrorCode::StorageFull, .. }) => {
                self.state.sometimes("append_refused_storage_full");
            }
            _ => {}
        }
        Ok(answer::appended(stream, append, outcome))
    }

    async fn read(&self, read: &Read) -> Result<Response, Failure> {
        self.with_page(read.from, |stream, page, now_ms| {
            self.found(stream, &page, now_ms)?;
            Ok(match read.from {
                ReadFrom::Now => answer::now(stream, page),
                _ => answer::page(stream, page, read.if_none_match.as_deref(), now_ms),
            })
        })
        .await
    }

    /// What every page that is read comes with: it extends a sliding lifetime.
    pub(super) fn found(&self, stream: &mut Stream, page: &Page, now_ms: u64) -> Result<(), SqlError> {
        if page.inside_append {
            self.state.sometimes("page_ended_inside_append");
        }
        stream.touch(self.state.sql(), now_ms)
    }

    fn head(&self, slot: &mut Slot, now_ms: u64) -> Result<Response, Failure> {
        let stream = self.living(slot, now_ms)?;
        stream.tail = stream.strong_tail(self.state.sql())?;
        Ok(answer::head(stream))
    }

    fn delete(&self, slot: &mut Slot, now_ms: u64) -> Result<Response, Failure> {
        self.living(slot, now_ms)?;
        self.remove(slot, now_ms)?;
        Ok(answer::deleted())
    }

    /// Removes the stream: whoever waits for it learns so.
    fn remove(&self, slot: &mut Slot, now_ms: u64) -> Result<(), SqlError> {
        let incarnation = slot.incarnation().cloned();
        self.remove_rows(slot, now_ms)?;
        if let Some(incarnation) = incarnation {
            self.audience.dismiss(&self.state, &incarnation);
        }
        Ok(())
    }

    /// Removes the rows now, and the objects by a duty that comes with it.
    fn remove_rows(&self, slot: &mut Slot, now_ms: u64) -> Result<(), SqlError> {
        let sql = self.state.sql();
        sql.transaction(|| {
            if let Slot::Occupied(stream) = &*slot {
                sweep::bequeath(&self.state, stream, now_ms)?;
            }
            slot.remove(sql)
        })
    }

    /// The stream. Where there is none, storage says so in this very turn: an instance that has lost its storage must
    /// not deny what its successor holds.
    pub(super) fn living<'a>(&self, slot: &'a mut Slot, now_ms: u64) -> Result<&'a mut Stream, Failure> {
        if matches!(slot, Slot::Vacant { .. }) {
            *slot = Slot::load(self.state.sql())?;
        }
        if let Slot::Occupied(stream) = &*slot
            && stream.is_expired(now_ms)
        {
            self.state.sometimes("expired_before_its_alarm");
        }
        Ok(slot.living(now_ms)?)
    }

    /// Does what is due, one step after another, for a while. What is left has the next alarm.
    async fn do_what_is_due(&self) -> Result<(), Failure> {
        let started_ms = self.state.now_ms();
        loop {
            let now_ms = self.state.now_ms();
            let due = agenda::due(&self.state, now_ms)?.filter(|_| now_ms < started_ms + ALARM_MS);
            let Some(entry) = due else { return Ok(agenda::rearm(&self.state)?) };
            match entry.duty {
                Duty::Expire => self.with_slot(|slot| Ok(self.expire(slot, now_ms)?))?,
                Duty::Rotate => self.rotate(entry).await?,
                Duty::Sweep => self.sweep(entry).await?,
                Duty::Remove => self.remove_objects(entry).await?,
            }
        }
    }

    fn expire(&self, slot: &mut Slot, now_ms: u64) -> Result<(), SqlError> {
        match slot {
            Slot::Occupied(stream) if !stream.is_expired(now_ms) => {
                match (&stream.expiry, stream.ends_ms()) {
                    (Expiry::Ttl { .. }, Some(ends_ms)) => {
                        self.state.sometimes("touched_after_its_alarm_was_set");
                        agenda::enter(&self.state, &Entry::new(Duty::Expire, ends_ms))
                    }
                    // A stream created meanwhile, whose end is no duty of this entry.
                    _ => agenda::strike(&self.state, Duty::Expire, ""),
                }
            }
            Slot::Occupied(_) => self.remove(slot, now_ms),
            Slot::Vacant { .. } => agenda::strike(&self.state, Duty::Expire, ""),
        }
    }
}
