//! An instance: one life of an object in memory, from the constructor until it crashes, sleeps or is superseded.
//!
//! `output` is how its answers leave it, and `billing` what its events are billed for.

mod billing;
mod output;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use tailrace_core::runtime::{Actor, AlarmFailure, HibernatingSocket, ObjectAnswer, ObjectRequest, Upgrade};

use crate::bill::{Cause, Meter};
use crate::kernel::reply::{Reply, ReplySender, reply};
use crate::kernel::rt::{self, Node};
use crate::world::alarm::service::{self as alarm, Alarmed};
use crate::world::charges::Account;
use crate::world::environment::Environment;
use crate::world::event::{Lane, What};
use crate::world::harm::Harm;
use crate::world::marks;
use crate::world::network::callee::{Caller, Opened};
use crate::world::objects::class::ObjectClass;
use crate::world::objects::state::{ObjectSocket, ObjectState};
use crate::world::objects::turn::{Fate, TakesTurns, Turns};
use crate::world::objects::under_way::UnderWay;
use crate::world::spender::Spending;
use crate::world::tenants::Tenant;

/// Whether an instance owns the object's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It does.
    Owner,
    /// Another instance does, since this one was superseded.
    Superseded,
    /// It has ended and runs no more.
    Ended,
}

/// Why an object is not running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It has never run, or a successor took over.
    New,
    /// It was idle for 10 s.
    Hibernated,
    /// It was idle for longer, without having hibernated.
    Evicted,
    /// It has crashed.
    Crashed,
}

/// What an instance needs of its object.
pub(crate) trait Parent: Alarmed + Sized {
    /// Its class.
    type Class: ObjectClass;

    /// The index of its datacenter.
    fn colo(&self) -> usize;

    /// Crashes one of its instances. Unless that was superseded, the object has crashed.
    fn crash_instance(self: &Rc<Self>, instance: &Rc<Instance<Self>>);

    /// Hibernates or evicts an idle instance: only its memory is lost.
    fn rest(&self, instance: &Rc<Instance<Self>>, rest: Rest);
}

/// What a class is configured with.
type Settings<A> = <A as Actor<ObjectState>>::Settings;

/// One life of an object in memory.
pub(crate) struct Instance<P: Parent> {
    name: Rc<str>,
    label: String,
    environment: Rc<Environment>,
    object: Weak<P>,
    state: ObjectState,
    node: Node,
    /// Runs the events that core works on.
    events: RefCell<Node>,
    under_way: UnderWay,
    settings: Settings<P::Class>,
    actor: RefCell<Option<Rc<P::Class>>>,
    /// Whether core was lost, and nothing has happened since.
    lost_core: Cell<bool>,
    /// For what it was started.
    started_for: Cause,
    /// The release that runs.
    release: u32,
    /// The events that wait for the constructor; `None` once it has run.
    waiting: RefCell<Option<Vec<ReplySender<()>>>>,
    standing: Cell<Standing>,
    /// The clients' requests for which calls are under way.
    causes: RefCell<Vec<u64>>,
    /// When the latest batch is due to be confirmed, in ms since the Unix epoch.
    flushed_ms: Cell<u64>,
}

impl<P: Parent> Instance<P> {
    /// Starts an instance. The constructor runs once the cold start is over, and before any event.
    pub(crate) fn start(
        object: &Rc<P>,
        (number, started_for): (u64, Cause),
        state: ObjectState,
        settings: Settings<P::Class>,
    ) -> Rc<Self> {
        let instance = Rc::new(Self {
            name: object.name().into(),
            label: format!("{}#{number}", object.name()),
            environment: object.environment().clone(),
            object: Rc::downgrade(object),
            node: state.node(),
            state,
            events: RefCell::new(Node::new()),
            under_way: UnderWay::default(),
            settings,
            actor: RefCell::default(),
            lost_core: Cell::default(),
            started_for,
            release: object.environment().release.get(),
            waiting: RefCell::new(Some(Vec::new())),
            standing: Cell::new(Standing::Owner),
            causes: RefCell::default(),
            flushed_ms: Cell::default(),
        });
        let environment = &instance.environment;
        if environment.chance(environment.faults().objects.shares_isolate_permille) {
            let tenant: Rc<dyn Tenant> = instance.clone();
            let of_colo = environment.isolates.get();
            let isolate = object.colo() * of_colo + environment.random.between(0, of_colo as u64 - 1) as usize;
            environment.tenants.move_in(isolate, Rc::downgrade(&tenant));
            instance.state.share_memory(environment.memory(isolate));
        }
        let starting = instance.clone();
        let busy = instance.state.activity().begin();
        instance.node.spawn(async move {
            rt::sleep_ms(starting.environment.draw_ms(starting.environment.faults().objects.cold_start)).await;
            starting.construct();
            drop(busy);
            starting.rest_when_idle().await;
        });
        instance
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Whether no later release has been deployed since it started.
    pub(crate) fn is_of_present_release(&self) -> bool {
        self.release == self.environment.release.get()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state.activity().idle_ms().is_some()
    }

    /// Runs the object's `call` on a request. A socket is accepted in the turn that asks for it.
    pub(crate) fn call(self: &Rc<Self>, mut request: ObjectRequest, caller: Caller) -> Reply<Opened> {
        let (sender, answer) = reply();
        let Caller { release, cause, .. } = caller;
        let spending = Spending::call(P::Class::cause(&request.message));
        if release != self.release {
            self.environment.mark(marks::OTHER_RELEASE_CALLED);
            self.environment.harm(Harm::OtherRelease, cause);
            request.message = P::Class::of_another_release(&request.message);
        }
        if !self.begin_event() {
            return answer;
        }
        let busy = self.state.activity().begin_event(spending.cause);
        if self.standing.get() == Standing::Superseded {
            self.environment.harm(Harm::ObjectSuperseded, cause);
        }
        self.causes.borrow_mut().extend(cause);
        let sender = Rc::new(Cell::new(Some(sender)));
        let event = self.under_way.begin({
            let (instance, sender) = (Rc::downgrade(self), sender.clone());
            move || {
                let Some((instance, sender)) = instance.upgrade().zip(sender.take()) else { return };
                instance.environment.harm(Harm::LostInstance, cause);
                instance.causes.borrow_mut().retain(|other| Some(*other) != cause);
                sender.send(Opened::Answer(P::Class::answer_when_lost()));
            }
        });
        let (instance, load) = (self.clone(), self.state.load(request.body.len()));
        let account = cause.map_or(Account::Nobody, Account::Request);
        self.environment.charge(&account, 1, 0);
        self.environment.meter(spending.cause, Meter::ObjectRequests, 1);
        self.spawn_event(event, async move {
            let _load = load;
            let actor = instance.actor().await;
            let event = async {
                match actor.call(request).await {
                    ObjectAnswer::Response(response) => (Opened::Answer(response), None),
                    ObjectAnswer::Upgrade(upgrade) => instance.accept(upgrade, caller),
                }
            };
            let (opened, greeting) = Turns::new(&instance, instance.charged((account, spending), event)).await;
            let Some(sender) = sender.take() else { return };
            match opened {
                Opened::Answer(response) => instance.answer(busy, sender, response, cause),
                opened => instance.put_out(busy, cause, move || sender.send(opened)),
            }
            if let Some((socket, greeting)) = greeting {
                socket.send(greeting);
            }
        });
        answer
    }

    fn accept(&self, upgrade: Upgrade, caller: Caller) -> (Opened, Option<(ObjectSocket, Bytes)>) {
        let Upgrade { tags, attachment, greeting, otherwise } = upgrade;
        let cause = caller.cause;
        match self.state.accept(tags, attachment, caller) {
            Ok(socket) => {
                let number = socket.number();
                self.environment.note(Lane::Instance(&self.label), What::SocketAccepted { number }, cause);
                self.note_stale(cause);
                (Opened::Socket(socket.number(), socket.mailbox()), Some((socket, greeting)))
            }
            Err(error) => {
                let why = &error.to_string();
                self.environment.note(Lane::Instance(&self.label), What::SocketRefused { why }, cause);
                (Opened::Answer(otherwise), None)
            }
        }
    }

    /// An event for which the object only has to be awake.
    pub(crate) fn wake(self: &Rc<Self>, cause: Cause) {
        if !self.begin_event() {
            return;
        }
        let busy = self.state.activity().begin_event(cause);
        let instance = self.clone();
        let event = self.under_way.begin(|| ());
        self.spawn_event(event, async move {
            instance.actor().await;
            drop(busy);
        });
    }

    /// The peer of a socket has gone. Returns what that is billed for, if this instance accepted the socket after it was
    /// superseded.
    pub(crate) fn end_socket(&self, number: u64) -> Option<Cause> {
        self.state.sockets_held().end(number)
    }

    /// Runs the object's `alarm`. If that succeeds, and the alarm was not set again meanwhile, the setting of that
    /// version is removed.
    pub(crate) fn alarm(self: &Rc<Self>, version: u64) -> Reply<Result<(), AlarmFailure>> {
        let (sender, answer) = reply();
        if !self.begin_event() {
            return answer;
        }
        let spending = Spending::alarm();
        let busy = self.state.activity().begin_event(spending.cause);
        let account = Account::Alarms(self.name.clone());
        self.environment.charge(&account, 1, 0);
        let sender = Rc::new(Cell::new(Some(sender)));
        let event = self.under_way.begin({
            let sender = sender.clone();
            move || {
                let Some(sender) = sender.take() else { return };
                sender.send(Err(AlarmFailure { message: "the instance of core was lost".to_owned() }));
            }
        });
        let instance = self.clone();
        self.spawn_event(event, async move {
            let actor = instance.actor().await;
            let outcome = Turns::new(&instance, instance.charged((account, spending), actor.alarm())).await;
            let Some(sender) = sender.take() else { return };
            if instance.standing.get() != Standing::Owner {
                // The alarm goes off again, at the successor.
                return;
            }
            let journal = instance.state.storage().journal();
            if outcome.is_ok() && journal.alarm().version == version {
                journal.set_alarm(None);
                instance.flush();
            }
            instance.state.put_out(move || {
                drop(busy);
                sender.send(outcome);
            });
        });
        answer
    }

    /// Another instance owns the storage from here on.
    pub(crate) fn supersede(&self, reads_fail: bool) {
        self.standing.set(Standing::Superseded);
        for cause in self.causes.borrow().iter() {
            self.environment.harm(Harm::ObjectSuperseded, Some(*cause));
        }
        self.state.storage().supersede(reads_fail);
        self.state.part_with_sockets();
        self.state.activity().stop_recording();
    }

    /// Ends it: its events are never polled again, and what the gate holds back never leaves.
    pub(crate) fn end(&self, why: &str) {
        if self.standing.replace(Standing::Ended) == Standing::Superseded {
            self.state.sockets_held().reset(&self.environment);
        }
        self.environment.note(Lane::Instance(&self.label), What::Ended { why }, None);
        self.node.kill();
        self.events.borrow().kill();
        self.under_way.forget();
        self.state.gate().discard();
        // Drops the events that wait for the constructor.
        self.waiting.take();
    }

    fn construct(self: &Rc<Self>) {
        self.turn(false, || {
            let may_write = P::Class::may_write_at_start(self.state.storage());
            let (before, rows) = (self.state.storage().journal().position(), self.state.rows());
            let actor = P::Class::new(self.state.clone(), self.settings.clone());
            let after = self.state.storage().journal().position();
            let (written, read) = self.state.rows_since(rows);
            self.environment.meter(self.started_for, Meter::RowsWritten, written);
            self.environment.meter(self.started_for, Meter::RowsRead, read);
            assert!(may_write || before == after, "{}: a constructor wrote what it must not", self.label);
            self.actor.replace(Some(Rc::new(actor)));
        });
        if self.has_ended() {
            return;
        }
        self.environment.note(Lane::Instance(&self.label), What::Started, None);
        for event in self.waiting.take().unwrap_or_default() {
            event.send(());
        }
    }

    /// The object, once it is constructed.
    async fn actor(&self) -> Rc<P::Class> {
        let constructed = self.waiting.borrow_mut().as_mut().map(|waiting| {
            let (sender, constructed) = reply();
            waiting.push(sender);
            constructed
        });
        if let Some(constructed) = constructed {
            constructed.await;
        }
        let actor = self.actor.borrow().clone();
        match actor {
            Some(actor) => actor,
            // The instance ended before it was constructed, and this task ends with it.
            None => std::future::pending().await,
        }
    }

    /// Something happens to the object. If core was lost, the object starts again in the next one, and its sockets are
    /// closed before. Returns whether the instance is still there.
    fn begin_event(self: &Rc<Self>) -> bool {
        if self.lost_core.replace(false) {
            self.state.sockets_held().reset(&self.environment);
            self.construct();
        }
        !self.has_ended()
    }

    /// Runs an event on which core works; `number` is that of [`UnderWay::begin`].
    fn spawn_event(self: &Rc<Self>, number: u64, event: impl Future<Output = ()> + 'static) {
        let instance = self.clone();
        self.events.borrow().spawn(async move {
            event.await;
            instance.under_way.finish(number);
        });
    }

    /// Ends a turn: what it wrote is confirmed after the time that a flush takes.
    fn flush(self: &Rc<Self>) {
        let journal = self.state.storage().journal();
        let Some(number) = journal.end_turn() else { return };
        if self.standing.get() != Standing::Owner {
            return;
        }
        let now_ms = self.environment.now_ms();
        let delay_ms = self.environment.draw_ms(self.environment.faults().storage.flush);
        let due_ms = self.flushed_ms.get().max(now_ms + delay_ms);
        self.flushed_ms.set(due_ms);
        if due_ms == now_ms {
            self.confirm(number);
            return;
        }
        let busy = self.state.activity().begin();
        let instance = self.clone();
        self.node.spawn(async move {
            rt::sleep_ms(due_ms - now_ms).await;
            instance.confirm(number);
            drop(busy);
        });
    }

    fn confirm(&self, number: u64) {
        if self.standing.get() != Standing::Owner {
            return;
        }
        self.state.storage().journal().confirm(number);
        self.state.gate().confirm(number);
        if let Some(object) = self.object.upgrade() {
            alarm::arm(&object);
        }
    }

    fn crash(self: &Rc<Self>) {
        match self.object.upgrade() {
            Some(object) => object.crash_instance(self),
            None => self.end("crash"),
        }
    }

    /// Hibernates or evicts the instance once it has been idle for as long as the platform waits.
    async fn rest_when_idle(self: &Rc<Self>) {
        let mut drawn = None;
        loop {
            let faults = self.environment.faults();
            let activity = self.state.activity();
            let Some(idle_ms) = activity.idle_ms() else {
                rt::sleep_ms(faults.objects.hibernate_after_ms.max(1)).await;
                continue;
            };
            let spell = activity.idle_since_ns();
            let (rest, after_ms) = match drawn {
                Some((drawn_for, rest, after_ms)) if drawn_for == spell => (rest, after_ms),
                _ if self.environment.chance(faults.objects.hibernation_missed_permille) => {
                    (Rest::Evicted, self.environment.draw_ms(faults.objects.evict_after))
                }
                _ => (Rest::Hibernated, faults.objects.hibernate_after_ms),
            };
            drawn = Some((spell, rest, after_ms));
            if idle_ms < after_ms {
                rt::sleep_ms(after_ms - idle_ms).await;
                continue;
            }
            // A superseded instance neither hibernates nor is evicted: it ends soon.
            if let Some(object) = self.object.upgrade().filter(|_| self.standing.get() == Standing::Owner) {
                object.rest(self, rest);
            }
            return;
        }
    }
}

impl<P: Parent> Tenant for Instance<P> {
    /// The object's memory is lost, and what it has stored is kept, be it durable yet or not.
    fn lose_core(self: Rc<Self>) {
        if self.has_ended() || self.actor.take().is_none() {
            return;
        }
        self.environment.mark(marks::OBJECT_LOST_ITS_CORE);
        self.environment.note(Lane::Instance(&self.label), What::LostCore, None);
        self.events.replace(Node::new()).kill();
        self.lost_core.set(true);
        self.state.lose_core();
        if self.under_way.lose() {
            self.state.sockets_held().reset(&self.environment);
        }
    }
}

impl<P: Parent> TakesTurns for Instance<P> {
    /// What the turn wrote is one batch.
    fn turn(self: &Rc<Self>, awaits: bool, run: impl FnOnce()) {
        if self.has_ended() {
            return;
        }
        let fate = Fate::draw(&self.environment, awaits);
        if fate != Fate::CrashesBefore {
            run();
            if self.state.take_alarm_rejection() {
                self.environment.mark(marks::ALARM_REJECTED);
                self.environment.note(Lane::Instance(&self.label), What::AlarmRejected, None);
                self.state.storage().journal().undo_turn();
                return self.crash();
            }
            self.flush();
        }
        if fate != Fate::Survives {
            self.crash();
        } else if self.state.storage().has_failed() {
            self.environment.mark(marks::SUPERSEDED_INSTANCE_RESET);
            self.end("its storage is another's");
        }
    }

    fn has_ended(&self) -> bool {
        self.standing.get() == Standing::Ended
    }
}
