//! What an instance of an object is given: storage, alarm, sockets, and other objects to call.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use tailrace_core::runtime::{
    ActorNamespace, ActorState, After, CallError, HibernatingSocket, Isolate, ObjectRequest, Response, SocketState,
    Upgrade,
};
use tailrace_core::storage::{SqlError, SqlRow, SqlStorage, Statement};

use crate::activity::{Activity, Spells};
use crate::bucket::ObjectBucket;
use crate::edge_socket::Mailbox;
use crate::environment::Environment;
use crate::gate::Gate;
use crate::host_mutant::HostMutant;
use crate::journal::Journal;
use crate::marks;
use crate::network::{self, Callee};
use crate::reply::reply;
use crate::rt;
use crate::sockets::{AcceptError, Connection, Sockets};

/// The state of one instance; clones share it.
#[derive(Clone)]
pub struct ObjectState(pub(crate) Rc<Inner>);

/// What the clones share.
pub struct Inner {
    id: String,
    environment: Rc<Environment>,
    sql: ObjectSql,
    bucket: ObjectBucket,
    gate: Gate,
    sockets: RefCell<Rc<Sockets>>,
    namespace: ObjectNamespace,
    activity: Activity,
    alarms_set: Cell<u64>,
    /// Whether it was woken from hibernation while others waited on its sockets, and has sent nothing since.
    woken: Cell<bool>,
}

impl ObjectState {
    pub(crate) fn new(
        id: String,
        environment: Rc<Environment>,
        journal: Rc<Journal>,
        sockets: Rc<Sockets>,
        callee: Weak<dyn Callee>,
        spells: Spells,
    ) -> Self {
        Self(Rc::new_cyclic(|state| Inner {
            id,
            bucket: ObjectBucket::new(state.clone()),
            gate: Gate::new(journal.confirmed()),
            sql: ObjectSql::new(journal),
            sockets: RefCell::new(sockets),
            namespace: ObjectNamespace { state: state.clone(), callee },
            activity: Activity::new(spells),
            alarms_set: Cell::default(),
            woken: Cell::default(),
            environment,
        }))
    }

    /// Accepts a socket, whose greeting goes first.
    pub(crate) fn accept(&self, upgrade: Upgrade) -> Result<ObjectSocket, AcceptError> {
        let connection = self.sockets_held().accept(&upgrade.tag, upgrade.attachment)?;
        if self.0.environment.is_mutated(HostMutant::WaiterKeepsAwake) {
            connection.busy.replace(Some(self.0.activity.begin()));
        }
        Ok(ObjectSocket { state: self.clone(), connection })
    }

    /// The sockets of this instance.
    pub(crate) fn sockets_held(&self) -> Rc<Sockets> {
        self.0.sockets.borrow().clone()
    }

    /// From here on what it accepts is not the object's: its successor knows nothing of it.
    pub(crate) fn part_with_sockets(&self) {
        let apart = self.sockets_held().apart();
        self.0.sockets.replace(Rc::new(apart));
    }

    /// The other objects.
    pub fn objects(&self) -> &ObjectNamespace {
        &self.0.namespace
    }

    pub(crate) fn storage(&self) -> &ObjectSql {
        &self.0.sql
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.0.gate
    }

    pub(crate) fn activity(&self) -> &Activity {
        &self.0.activity
    }

    /// Puts something out on a socket.
    fn put_out_message(&self, output: impl FnOnce() + 'static) {
        if self.0.woken.take() {
            self.0.environment.mark(marks::WOKEN_AND_SENT);
        }
        if self.0.environment.is_mutated(HostMutant::MessageBeforeGate) {
            output();
        } else if self.put_out(output) {
            self.0.environment.mark(marks::GATE_HELD_MESSAGE);
        }
    }

    /// It was woken from hibernation, and others wait on its sockets.
    pub(crate) fn wake_with_sockets(&self) {
        self.0.woken.set(true);
    }

    pub(crate) fn environment(&self) -> &Rc<Environment> {
        &self.0.environment
    }

    /// Puts something out. Whether the gate holds it back.
    pub(crate) fn put_out(&self, output: impl FnOnce() + 'static) -> bool {
        self.0.gate.pass(self.0.sql.position(), output)
    }
}

impl Isolate for ObjectState {
    fn now_ms(&self) -> u64 {
        self.0.environment.now_ms()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.0.environment.core_random.fill(bytes);
    }

    async fn sleep_ms(&self, ms: u64) {
        rt::sleep_ms(ms).await;
    }

    fn sometimes(&self, mark: &'static str) {
        self.0.environment.mark(mark);
    }
}

impl ActorState for ObjectState {
    type Sql = ObjectSql;
    type Bucket = ObjectBucket;

    fn id(&self) -> &str {
        &self.0.id
    }

    fn sql(&self) -> &ObjectSql {
        &self.0.sql
    }

    fn bucket(&self) -> &ObjectBucket {
        &self.0.bucket
    }

    fn set_alarm(&self, at_ms: u64) -> Result<(), SqlError> {
        self.0.alarms_set.set(self.0.alarms_set.get() + 1);
        self.0.sql.access()?;
        self.0.sql.journal().set_alarm(Some(at_ms));
        Ok(())
    }

    fn rows_written(&self) -> u64 {
        let sql = &self.0.sql;
        sql.journal().database().rows_written() - sql.rows_at_start + self.0.alarms_set.get()
    }
}

impl SocketState for ObjectState {
    type Socket = ObjectSocket;

    fn has_sockets(&self) -> bool {
        !self.sockets_held().is_empty()
    }

    fn sockets(&self, tag: Option<&str>) -> Vec<ObjectSocket> {
        let connections = self.sockets_held().tagged(tag);
        connections.into_iter().map(|connection| ObjectSocket { state: self.clone(), connection }).collect()
    }

    /// All of them leave the gate together: with thousands, one output and not one for each.
    fn broadcast(&self, tag: &str, message: Bytes, after: After) -> usize {
        let environment = self.0.environment.clone();
        let sockets = self.sockets_held();
        let connections = sockets.tagged(Some(tag));
        let count = connections.len();
        if count == 0 {
            return 0;
        }
        self.put_out_message(move || {
            for connection in &connections {
                sockets.send(&environment, connection, Some(message.clone()));
                if after == After::Close {
                    sockets.send(&environment, connection, None);
                }
            }
        });
        count
    }
}

/// The storage as one instance sees it.
pub struct ObjectSql {
    journal: RefCell<Rc<Journal>>,
    rows_at_start: u64,
    /// Set once every access fails because the instance was superseded: the batch that its outputs waited for then.
    lost_at: Cell<Option<u64>>,
    failed: Cell<bool>,
}

impl ObjectSql {
    fn new(journal: Rc<Journal>) -> Self {
        Self {
            rows_at_start: journal.database().rows_written(),
            journal: RefCell::new(journal),
            lost_at: Cell::default(),
            failed: Cell::default(),
        }
    }

    pub(crate) fn journal(&self) -> Rc<Journal> {
        self.journal.borrow().clone()
    }

    /// The batch that has to be confirmed before what is put out now may leave.
    fn position(&self) -> u64 {
        self.lost_at.get().unwrap_or_else(|| self.journal.borrow().position())
    }

    /// From here on the storage is another instance's.
    pub(crate) fn supersede(&self, reads_fail: bool) {
        if reads_fail {
            self.lost_at.set(Some(self.journal().position()));
        } else {
            let fork = self.journal.borrow().fork();
            self.journal.replace(Rc::new(fork));
        }
    }

    /// Whether an access has failed because the storage is another instance's.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.get()
    }

    fn access(&self) -> Result<(), SqlError> {
        if self.lost_at.get().is_some() {
            self.failed.set(true);
            return Err(SqlError::new("the storage belongs to another instance of the object"));
        }
        Ok(())
    }
}

impl SqlStorage for ObjectSql {
    fn exec(
        &self,
        statement: Statement<'_>,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(), SqlError> {
        self.access()?;
        let journal = self.journal();
        if journal.database().is_write(statement.sql)? {
            journal.write();
        }
        journal.database().exec(statement, row)
    }

    fn transaction<T, E: From<SqlError>>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.access()?;
        let journal = self.journal();
        journal.transaction(body)
    }
}

/// The other objects, as one instance calls them.
pub struct ObjectNamespace {
    state: Weak<Inner>,
    callee: Weak<dyn Callee>,
}

impl ActorNamespace for ObjectNamespace {
    async fn call(&self, object: &str, request: ObjectRequest) -> Result<Response, CallError> {
        let (Some(state), Some(callee)) = (self.state.upgrade(), self.callee.upgrade()) else {
            return Err(CallError::Reset);
        };
        let state = ObjectState(state);
        let _calling = state.activity().call();
        let (sender, passed) = reply();
        state.put_out(move || sender.send(()));
        passed.await.ok_or(CallError::Reset)?;
        network::call(&state.0.environment, callee, object, request).await
    }
}

/// An object's end of a hibernatable socket.
#[derive(Clone)]
pub struct ObjectSocket {
    state: ObjectState,
    connection: Rc<Connection>,
}

impl ObjectSocket {
    pub(crate) fn number(&self) -> u64 {
        self.connection.number()
    }

    pub(crate) fn mailbox(&self) -> Rc<Mailbox> {
        self.connection.mailbox()
    }

    fn put_out(&self, message: Option<Bytes>) {
        let environment = self.state.0.environment.clone();
        let sockets = self.state.sockets_held();
        let connection = self.connection.clone();
        self.state.put_out_message(move || sockets.send(&environment, &connection, message));
    }
}

impl HibernatingSocket for ObjectSocket {
    fn send(&self, message: Bytes) {
        self.put_out(Some(message));
    }

    fn close(&self) {
        self.put_out(None);
    }

    fn attachment(&self) -> Bytes {
        self.connection.attachment()
    }
}
