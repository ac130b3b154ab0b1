//! What the platform gives to an instance of an object: storage, alarm, sockets, and other objects to call.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use bytes::Bytes;
use tailrace_core::protocol::{Address, Class, Response};
use tailrace_core::runtime::{
    ActorState, After, CallError, HibernatingSocket, Isolate, Mark, ObjectRequest, SocketState,
};
use tailrace_core::storage::SqlError;

use crate::kernel::reply::reply;
use crate::kernel::rt::{self, Node};
use crate::world::activity::Activity;
use crate::world::bucket::ObjectBucket;
use crate::world::clock::MachineClock;
use crate::world::host_mutant::HostMutant;
use crate::world::kv::ObjectKv;
use crate::world::marks;
use crate::world::memory::{Load, Meter, Pushed, What};
use crate::world::network::callee::{Callee, Caller, Opened};
use crate::world::network::travel;
use crate::world::services::Services;
use crate::world::sockets::mailbox::Mailbox;
use crate::world::sockets::object_sockets::{AcceptError, HeldSocket, Sockets};
use crate::world::spender::Spender;
use crate::world::storage::gate::Gate;
use crate::world::storage::object_sql::ObjectSql;
use crate::world::storage::outlet::Outlet;

/// The state of one instance; clones share it.
#[derive(Clone)]
pub struct ObjectState(Rc<Inner>);

/// What the clones share.
struct Inner {
    class: Class,
    outlet: Rc<Outlet>,
    bucket: ObjectBucket,
    kv: ObjectKv,
    sockets: RefCell<Rc<Sockets>>,
    namespace: ObjectNamespace,
    alarms_set: Cell<u64>,
    clock: MachineClock,
    /// Whether the alarm service has rejected a setting of the turn.
    alarm_rejected: Cell<bool>,
    /// Whether the object was woken from hibernation with open sockets, and has sent nothing on them since.
    woken: Cell<bool>,
    /// What it has sent on its sockets.
    pushed: Pushed,
    /// What the isolate has in memory in which it runs.
    memory: RefCell<Meter>,
}

impl ObjectState {
    pub(crate) fn new(
        class: Class,
        outlet: Rc<Outlet>,
        services: &Services,
        sockets: Rc<Sockets>,
        callee: Weak<dyn Callee>,
        clock: MachineClock,
    ) -> Self {
        Self(Rc::new(Inner {
            class,
            bucket: ObjectBucket::new(services.bucket.clone(), outlet.clone()),
            kv: ObjectKv::new(services.kv.clone(), outlet.clone()),
            sockets: RefCell::new(sockets),
            namespace: ObjectNamespace { outlet: outlet.clone(), callee },
            alarms_set: Cell::default(),
            clock,
            alarm_rejected: Cell::default(),
            woken: Cell::default(),
            pushed: Pushed::default(),
            memory: RefCell::default(),
            outlet,
        }))
    }

    /// Where what the instance does by itself runs.
    pub(crate) fn node(&self) -> Node {
        self.0.outlet.node.clone()
    }

    /// Accepts a socket, on which its caller waits.
    pub(crate) fn accept(
        &self,
        tags: [String; 2],
        attachment: Bytes,
        caller: Caller,
    ) -> Result<ObjectSocket, AcceptError> {
        let connection = self.sockets_held().accept(tags, attachment, (caller, self.spender().spending().cause))?;
        if self.0.outlet.environment.is_mutated(HostMutant::WaiterKeepsAwake) {
            connection.busy.replace(Some(self.0.outlet.activity.begin()));
        }
        Ok(ObjectSocket { state: self.clone(), connection })
    }

    /// The sockets of this instance.
    pub(crate) fn sockets_held(&self) -> Rc<Sockets> {
        self.0.sockets.borrow().clone()
    }

    /// From here on the sockets that this instance accepts are its own: its successor knows nothing of them.
    pub(crate) fn part_with_sockets(&self) {
        let apart = self.sockets_held().apart();
        self.0.sockets.replace(Rc::new(apart));
    }

    /// The instance of core is lost.
    pub(crate) fn lose_core(&self) {
        self.0.pushed.forget();
    }

    /// It runs in an isolate that serves requests, too.
    pub(crate) fn share_memory(&self, memory: Meter) {
        self.0.memory.replace(memory);
    }

    /// So many bytes of the object are in memory.
    pub(crate) fn load(&self, bytes: usize) -> Load {
        self.0.memory.borrow().load(What::Object, bytes)
    }

    /// The other objects.
    pub fn objects(&self) -> &ObjectNamespace {
        &self.0.namespace
    }

    pub(crate) fn storage(&self) -> &ObjectSql {
        &self.0.outlet.sql
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.0.outlet.gate
    }

    pub(crate) fn spender(&self) -> &Spender {
        &self.0.outlet.spender
    }

    /// How many alarms this instance has set so far.
    pub(crate) fn alarms_set(&self) -> u64 {
        self.0.alarms_set.get()
    }

    /// How many rows this instance has written and read so far.
    pub(crate) fn rows(&self) -> (u64, u64) {
        (self.rows_written(), self.0.outlet.sql.rows_read())
    }

    /// How many more it has since then.
    pub(crate) fn rows_since(&self, (written, read): (u64, u64)) -> (u64, u64) {
        let (now_written, now_read) = self.rows();
        (now_written - written, now_read - read)
    }

    pub(crate) fn activity(&self) -> &Activity {
        &self.0.outlet.activity
    }

    /// Puts something out on a socket.
    fn put_out_message(&self, output: impl FnOnce() + 'static) {
        if self.0.woken.take() {
            self.0.outlet.environment.mark(marks::WOKEN_AND_SENT);
        }
        if self.0.outlet.environment.is_mutated(HostMutant::MessageBeforeGate) {
            output();
        } else if self.put_out(output) {
            self.0.outlet.environment.mark(marks::GATE_HELD_MESSAGE);
        }
    }

    /// Whether the alarm service has rejected a setting of the turn that ends now.
    pub(crate) fn take_alarm_rejection(&self) -> bool {
        self.0.alarm_rejected.take()
    }

    /// Records that the object was woken from hibernation with open sockets.
    pub(crate) fn wake_with_sockets(&self) {
        self.0.woken.set(true);
    }

    /// Puts something out. Returns whether the gate holds it back.
    pub(crate) fn put_out(&self, output: impl FnOnce() + 'static) -> bool {
        self.0.outlet.put_out(output)
    }
}

impl Isolate for ObjectState {
    fn now_ms(&self) -> u64 {
        self.0.clock.now_ms()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.0.outlet.environment.core_random.fill(bytes);
    }

    async fn sleep_ms(&self, ms: u64) {
        rt::sleep_ms(ms).await;
    }

    fn sometimes(&self, mark: Mark) {
        self.0.outlet.environment.mark(mark);
    }
}

impl ActorState for ObjectState {
    type Sql = ObjectSql;
    type Bucket = ObjectBucket;
    type Kv = ObjectKv;

    fn class(&self) -> Class {
        self.0.class
    }

    fn id(&self) -> &str {
        &self.0.outlet.id
    }

    fn sql(&self) -> &ObjectSql {
        &self.0.outlet.sql
    }

    fn bucket(&self) -> &ObjectBucket {
        &self.0.bucket
    }

    fn kv(&self) -> &ObjectKv {
        &self.0.kv
    }

    fn set_alarm(&self, at_ms: u64) -> Result<(), SqlError> {
        self.0.alarms_set.set(self.0.alarms_set.get() + 1);
        self.0.outlet.sql.access()?;
        self.0.outlet.sql.journal().set_alarm(Some(at_ms));
        let environment = &self.0.outlet.environment;
        if at_ms == 0 || environment.chance(environment.faults().alarm.reject_permille) {
            self.0.alarm_rejected.set(true);
        }
        Ok(())
    }

    fn rows_written(&self) -> u64 {
        self.0.outlet.sql.rows_written() + self.0.alarms_set.get()
    }

    fn rows_read(&self) -> Option<u64> {
        Some(self.0.outlet.sql.rows_read())
    }
}

impl SocketState for ObjectState {
    type Socket = ObjectSocket;

    fn has_sockets(&self) -> bool {
        !self.sockets_held().is_empty()
    }

    fn sockets(&self, tag: &str) -> Vec<ObjectSocket> {
        let connections = self.sockets_held().tagged(tag);
        connections.into_iter().map(|connection| ObjectSocket { state: self.clone(), connection }).collect()
    }

    /// All copies leave the gate together, as one output and not thousands.
    fn broadcast(&self, tag: &str, message: Bytes, after: After, most_bytes: usize) -> usize {
        let environment = self.0.outlet.environment.clone();
        let sockets = self.sockets_held();
        let connections = sockets.tagged(tag);
        let count = connections.len();
        if count == 0 || count * message.len() > most_bytes {
            return count;
        }
        let pushed = self.0.pushed.add(count, message.len(), environment.now_ms());
        environment.pushed.set(environment.pushed.get().max(pushed));
        let load = self.load(count * message.len());
        self.put_out_message(move || {
            let _load = load;
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

/// The other objects, as one instance calls them.
pub struct ObjectNamespace {
    outlet: Rc<Outlet>,
    callee: Weak<dyn Callee>,
}

impl ObjectNamespace {
    /// Calls that object, once what was written before is durable.
    pub async fn call(&self, object: Address<'_>, request: ObjectRequest) -> Result<Response, CallError> {
        let Some(callee) = self.callee.upgrade() else { return Err(CallError::Reset) };
        let _calling = self.outlet.activity.call();
        let (sender, passed) = reply();
        self.outlet.put_out(move || sender.send(()));
        passed.await.ok_or(CallError::Reset)?;
        let environment = &self.outlet.environment;
        let colo = environment.colo_of(&self.outlet.name, 0);
        let caller = Caller { colo, release: environment.release.get(), cause: None };
        let accept = |opened| match opened {
            Opened::Answer(response) => Ok(response),
            Opened::Overloaded => Err(CallError::Overloaded),
            Opened::Socket(..) => Err(CallError::Exception("a socket that nobody can wait on".to_owned())),
        };
        travel::call(environment, callee, object, request, caller, accept).await?
    }
}

/// An object's end of a hibernatable socket.
#[derive(Clone)]
pub struct ObjectSocket {
    state: ObjectState,
    connection: Rc<HeldSocket>,
}

impl ObjectSocket {
    pub(crate) fn number(&self) -> u64 {
        self.connection.number()
    }

    pub(crate) fn mailbox(&self) -> Rc<Mailbox> {
        self.connection.mailbox()
    }

    fn put_out(&self, message: Option<Bytes>) {
        let environment = self.state.0.outlet.environment.clone();
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
