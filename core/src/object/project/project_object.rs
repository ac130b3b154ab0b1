//! The object of one project: what is asked of it, and its alarm.

use std::cell::Cell;

use bytes::Bytes;

use super::answer;
use super::changes::{Change, no_project};
use super::publication::{Publication, Put, set_due};
use super::table::Row;
use crate::mutant::mutated;
use crate::object::Settings;
use crate::object::failure::Failure;
use crate::protocol::limits::{KEY_BYTES_MIN, PROJECT_FRESH_MS};
use crate::protocol::project::{ProjectKey, ProjectMessage, ProjectOperation, ProjectRecord};
use crate::protocol::{ErrorCode, Refusal, Response};
use crate::runtime::{Actor, ActorState, AlarmFailure, KV_SETTLES_MS, KvStore, ObjectAnswer, ObjectRequest, marks};
use crate::storage::{SqlError, SqlStorage};

/// How long KV may take for a record that is to be imported, in ms. Our choice.
const IMPORT_MS: u64 = 5_000;

/// For how long a change waits until KV has confirmed it, in ms. Our choice: longer than a put takes that comes to an end, and
/// no longer than clients wait.
const CONFIRMED_WITHIN_MS: u64 = 25_000;

/// How often a change looks whether another one's put has confirmed it, in ms. Our choice.
const LOOK_MS: u64 = 100;

/// Bytes of a key's id, which is written as twice as many hexadecimal digits. Our choice: a project has eight keys at most.
const ID_BYTES: usize = 4;

/// The object of one project.
///
/// It keeps nothing in memory that it has stored: it is asked seldom, and what is stored is one row.
pub struct ProjectObject<S: ActorState> {
    state: S,
    publication: Publication,
    /// Whether a request of this instance has looked whether the platform has given up the alarm.
    has_checked_alarm: Cell<bool>,
}

impl<S: ActorState> Actor<S> for ProjectObject<S> {
    type Settings = Settings;

    fn new(state: S, _settings: Settings) -> Self {
        Self { state, publication: Publication::default(), has_checked_alarm: Cell::default() }
    }

    async fn call(&self, request: ObjectRequest) -> ObjectAnswer {
        let response = match ProjectMessage::decode(&request.message) {
            Some(message) => self.answer(&message, &request.body).await.unwrap_or_else(Failure::into_response),
            None => crate::object::unknown_message(),
        };
        ObjectAnswer::Response(response.with_common())
    }

    /// Puts the record into KV if that is due. It fails only if the storage does, since the platform gives up an alarm whose
    /// handler fails again and again.
    async fn alarm(&self) -> Result<(), AlarmFailure> {
        self.publish_what_is_due().await.map_err(|error| Failure::from(error).into_alarm_failure())
    }
}

impl<S: ActorState> ProjectObject<S> {
    async fn publish_what_is_due(&self) -> Result<(), SqlError> {
        let Some(due_ms) = Row::load(self.state.sql())?.and_then(|row| row.due_ms) else { return Ok(()) };
        if due_ms > self.state.now_ms() {
            // It came early, or is one of an earlier setting.
            return self.state.set_alarm(due_ms);
        }
        match self.publication.put(&self.state).await? {
            Put::Confirmed | Put::Failed => Ok(()),
            // The one that is under way sets it when it has ended.
            Put::Busy => self.state.set_alarm(self.state.now_ms() + KV_SETTLES_MS),
        }
    }

    async fn answer(&self, message: &ProjectMessage, body: &Bytes) -> Result<Response, Failure> {
        if !self.has_checked_alarm.replace(true)
            && let Some(Row { due_ms: Some(due_ms), .. }) = Row::load(self.state.sql())?
        {
            self.state.set_alarm(due_ms.max(self.state.now_ms()))?;
        }
        let project = &message.project;
        let imported = self.import(project).await?;
        let change = match &message.operation {
            ProjectOperation::Show => {
                let record = self.record(imported.as_ref())?;
                let record = record.filter(ProjectRecord::is_there).ok_or_else(no_project)?;
                return Ok(answer::shown(project, &record));
            }
            ProjectOperation::Create => Change::Create(self.fresh_key(imported.as_ref())?),
            ProjectOperation::AddKey => Change::AddKey(self.fresh_key(imported.as_ref())?),
            ProjectOperation::Delete => Change::Delete,
            ProjectOperation::RemoveKey(id) => Change::RemoveKey(id.clone()),
            ProjectOperation::SetOrigins => Change::SetOrigins(origins(message, body)?),
        };
        if mutated!(LastKeyRemovedByTwo) && matches!(change, Change::RemoveKey(_)) {
            // What it goes by is old when it acts.
            let before = self.record(imported.as_ref())?.unwrap_or_default();
            change.clone().apply(&before)?;
            self.state.sleep_ms(LOOK_MS).await;
            self.remove_key_unchecked(project, &change)?;
            return Ok(answer::done());
        }
        let made = match &change {
            Change::Create(key) | Change::AddKey(key) => Some(key.clone()),
            Change::Delete | Change::RemoveKey(_) | Change::SetOrigins(_) => None,
        };
        let Some(version) = self.change(project, imported, change)? else {
            return Ok(if made.is_some() { answer::exists(project) } else { answer::done() });
        };
        self.confirmed(version).await?;
        Ok(match made {
            Some(key) => answer::made(project, &key, self.usable_s()?),
            None => answer::done(),
        })
    }

    /// From when on everybody knows what KV has confirmed now, in s since the Unix epoch: it is seen everywhere by then, and no
    /// isolate goes by what it has read before. Where an earlier put may still come, that is so once the record was put again.
    fn usable_s(&self) -> Result<u64, SqlError> {
        let unsure_ms = Row::load(self.state.sql())?.and_then(|row| row.unsure_ms);
        let confirmed_ms = self.state.now_ms().max(unsure_ms.map_or(0, |unsure_ms| unsure_ms + KV_SETTLES_MS));
        Ok((confirmed_ms + KV_SETTLES_MS + PROJECT_FRESH_MS).div_ceil(1_000))
    }

    /// What KV has of a project of which nothing is stored here; `None` if something is, or if KV has nothing.
    async fn import(&self, project: &str) -> Result<Option<ProjectRecord>, Failure> {
        if Row::load(self.state.sql())?.is_some() || mutated!(ImportSkipped) {
            return Ok(None);
        }
        let unavailable = |error: String| {
            tracing::error!(error, "a project's record was not imported");
            Refusal::new(ErrorCode::RegistryUnavailable, "the registry does not answer; nothing was changed")
        };
        let text = self.state.kv().get(project, IMPORT_MS).await.map_err(|error| unavailable(error.to_string()))?;
        let Some(text) = text else { return Ok(None) };
        let record = ProjectRecord::decode(&text).ok_or_else(|| unavailable("it is no record".to_owned()))?;
        self.state.sometimes(marks::RECORD_IMPORTED);
        Ok(Some(record))
    }

    /// What is stored, or else what was imported.
    fn record(&self, imported: Option<&ProjectRecord>) -> Result<Option<ProjectRecord>, SqlError> {
        let stored = Row::load(self.state.sql())?.map(|row| row.record);
        Ok(stored.or_else(|| imported.cloned()))
    }

    /// A fresh key, whose id no other one has.
    fn fresh_key(&self, imported: Option<&ProjectRecord>) -> Result<ProjectKey, SqlError> {
        let taken = self.record(imported)?.unwrap_or_default().keys;
        loop {
            let mut random = [0; ID_BYTES];
            self.state.fill_random(&mut random);
            let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
            if taken.iter().all(|key| key.id != id) {
                let mut secret = vec![0; KEY_BYTES_MIN];
                self.state.fill_random(&mut secret);
                return Ok(ProjectKey { id, secret, created_ms: self.state.now_ms() });
            }
        }
    }

    /// Applies a change in one transaction, which also enters that the record is to be published. Returns the version of the
    /// record then; `None` if nothing changes.
    fn change(&self, project: &str, imported: Option<ProjectRecord>, change: Change) -> Result<Option<u64>, Failure> {
        let sql = self.state.sql();
        let stored = Row::load(sql)?;
        let record = imported.unwrap_or_default();
        let confirmed = record.version;
        let before =
            stored.unwrap_or(Row { name: project.to_owned(), record, confirmed, unsure_ms: None, due_ms: None });
        let Some(record) = change.apply(&before.record)? else { return Ok(None) };
        let version = record.version;
        let now_ms = self.state.now_ms();
        sql.transaction(|| set_due(&self.state, Row { record, ..before }, Some(now_ms)))?;
        Ok(Some(version))
    }

    /// What a known bug does.
    fn remove_key_unchecked(&self, project: &str, change: &Change) -> Result<(), SqlError> {
        let (Some(mut row), Change::RemoveKey(id)) = (Row::load(self.state.sql())?, change) else { return Ok(()) };
        row.record.keys.retain(|key| key.id != *id);
        row.record.version += 1;
        project.clone_into(&mut row.name);
        let now_ms = self.state.now_ms();
        self.state.sql().transaction(|| set_due(&self.state, row, Some(now_ms)))
    }

    /// Waits until KV has confirmed a version of the record, or a later one.
    async fn confirmed(&self, version: u64) -> Result<(), Failure> {
        let until_ms = self.state.now_ms() + CONFIRMED_WITHIN_MS;
        let is_confirmed =
            || Ok::<_, SqlError>(Row::load(self.state.sql())?.is_some_and(|row| row.confirmed >= version));
        loop {
            if is_confirmed()? {
                return Ok(());
            }
            if self.state.now_ms() >= until_ms {
                let message = "the registry does not answer; the change is made, and will be known by and by";
                return Err(Refusal::new(ErrorCode::RegistryUnavailable, message).into());
            }
            match self.publication.put(&self.state).await? {
                Put::Failed => self.state.sleep_ms(self.publication.pause_ms(&self.state)?).await,
                Put::Confirmed if is_confirmed()? => return Ok(()),
                Put::Confirmed | Put::Busy => self.state.sleep_ms(LOOK_MS).await,
            }
        }
    }
}

/// The origins of a body.
fn origins(message: &ProjectMessage, body: &Bytes) -> Result<Vec<String>, Refusal> {
    if message.body_too_large {
        return Err(Refusal::new(ErrorCode::BodyTooLarge, "the list of origins is too large"));
    }
    serde_json::from_slice(body)
        .map_err(|_| Refusal::new(ErrorCode::InvalidOrigin, "the body is no JSON list of texts"))
}
