//! An object's state, and the object itself.

use std::fmt;

use super::{Isolate, KvStore, ObjectAnswer, ObjectRequest, ObjectStore, SocketState};
use crate::protocol::Class;
use crate::storage::{SqlError, SqlStorage};

/// What an object has: an identity, its SQL storage, its sockets, a bucket and its one alarm.
pub trait ActorState: Isolate + SocketState {
    /// The storage.
    type Sql: SqlStorage;

    /// The bucket.
    type Bucket: ObjectStore;

    /// KV, as this object reaches it.
    type Kv: KvStore;

    /// The object's class.
    fn class(&self) -> Class;

    /// The object's identity: the same at every start, no other object's, 1 to 64 of `[0-9a-f]`.
    fn id(&self) -> &str;

    /// The storage.
    fn sql(&self) -> &Self::Sql;

    /// The bucket, which all objects of a deployment share.
    fn bucket(&self) -> &Self::Bucket;

    /// The deployment's namespace of KV. Where it has none, every call fails.
    fn kv(&self) -> &Self::Kv;

    /// Sets the one alarm, in ms since the Unix epoch, replacing an earlier one. It is one of the turn's writes:
    /// durable with them or not at all, and billed as a row. Fails if the storage fails; inside a transaction the
    /// caller returns the failure, which undoes the transaction. A time of 0 is rejected. If the platform rejects a
    /// setting after the turn, the host resets the object, and nothing of the turn is durable.
    fn set_alarm(&self, at_ms: u64) -> Result<(), SqlError>;

    /// Rows written by this instance so far, as the platform bills them; 0 on hosts that do not count.
    fn rows_written(&self) -> u64;

    /// Rows that statements of this instance have read so far, as the platform bills them: those that they looked at,
    /// whether they handed them over or not. `None` on hosts that do not count.
    fn rows_read(&self) -> Option<u64>;
}

/// Why an alarm could not do its work. The platform calls it again, after longer and longer waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmFailure {
    /// What went wrong, for operators.
    pub message: String,
}

impl fmt::Display for AlarmFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "alarm: {}", self.message)
    }
}

impl std::error::Error for AlarmFailure {}

/// An object, as core exports it and hosts call it. Other events of the object may run at every await.
///
/// Objects may share an instance of core with each other and with requests at the edge ([`super::EdgeEnv`]). If it is
/// lost, the memory of its objects is lost, and what they had stored is kept; an event that was under way is undone as
/// far as its turn had come. Calls under way are answered with `edge::object_when_lost`, an alarm under way fails, and
/// all sockets are closed before the next event, as nobody knows what was sent on them. The object starts again with
/// the next event.
pub trait Actor<S: ActorState>: 'static {
    /// What the deployment configures.
    type Settings: Clone + 'static;

    /// Runs at every start, also after hibernation: memory is empty, storage is not. Writes nothing, except to migrate
    /// what an earlier version stored.
    fn new(state: S, settings: Self::Settings) -> Self;

    /// Answers one call, or returns a socket for its caller to wait on. The host holds the answer back until what was
    /// written before it is durable.
    async fn call(&self, request: ObjectRequest) -> ObjectAnswer;

    /// The alarm went off: at least once, perhaps early, perhaps again.
    async fn alarm(&self) -> Result<(), AlarmFailure>;
}
