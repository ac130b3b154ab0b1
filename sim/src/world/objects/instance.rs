//! An instance: one life of an object in memory, from the constructor until it crashes, sleeps or is superseded.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};

use bytes::Bytes;
use tailrace_core::protocol::Response;
use tailrace_core::runtime::{Actor, AlarmFailure, HibernatingSocket, ObjectAnswer, ObjectRequest, Upgrade};

use crate::kernel::reply::{Reply, ReplySender, reply};
use crate::kernel::rt::{self, Node};
use crate::world::activity::Busy;
use crate::world::alarm::service::{self as alarm, Alarmed};
use crate::world::environment::Environment;
use crate::world::host_mutant::HostMutant;
use crate::world::marks;
use crate::world::network::callee::Opened;
use crate::world::objects::class::ObjectClass;
use crate::world::objects::state::{ObjectSocket, ObjectState};
use crate::world::objects::turn::{Fate, TakesTurns, Turns};

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

    /// Crashes one of its instances. Unless that was superseded, the object has crashed.
    fn crash_instance(self: &Rc<Self>, instance: &Rc<Instance<Self>>);

    /// Hibernates or evicts an idle instance: only its memory is lost.
    fn rest(&self, instance: &Rc<Instance<Self>>, rest: Rest);
}

/// What a class is configured with.
type Settings<A> = <A as Actor<ObjectState>>::Settings;

/// One life of an object in memory.
pub(crate) struct Instance<P: Parent> {
    label: String,
    environment: Rc<Environment>,
    object: Weak<P>,
    state: ObjectState,
    node: Node,
    actor: OnceCell<P::Class>,
    /// The events that wait for the constructor; `None` once it has run.
    waiting: RefCell<Option<Vec<ReplySender<()>>>>,
    standing: Cell<Standing>,
    /// When the latest batch is due to be confirmed, in ms since the Unix epoch.
    flushed_ms: Cell<u64>,
}

impl<P: Parent> Instance<P> {
    /// Starts an instance. The constructor runs once the cold start is over, and before any event.
    pub(crate) fn start(object: &Rc<P>, number: u64, state: ObjectState, settings: Settings<P::Class>) -> Rc<Self> {
        let instance = Rc::new(Self {
            label: format!("{}#{number}", object.name()),
            environment: object.environment().clone(),
            object: Rc::downgrade(object),
            state,
            node: Node::new(),
            actor: OnceCell::new(),
            waiting: RefCell::new(Some(Vec::new())),
            standing: Cell::new(Standing::Owner),
            flushed_ms: Cell::default(),
        });
        let starting = instance.clone();
        let busy = instance.state.activity().begin();
        instance.node.spawn(async move {
            rt::sleep_ms(starting.environment.draw_ms(starting.environment.faults().objects.cold_start)).await;
            starting.construct(settings);
            drop(busy);
            starting.rest_when_idle().await;
        });
        instance
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state.activity().idle_ms().is_some()
    }

    /// Runs the object's `call` on a request. A socket is accepted in the turn that asks for it.
    pub(crate) fn call(self: &Rc<Self>, request: ObjectRequest) -> Reply<Opened> {
        let (sender, answer) = reply();
        let busy = self.state.activity().begin_event();
        let instance = self.clone();
        self.node.spawn(async move {
            let actor = instance.actor().await;
            let event = async {
                match actor.call(request).await {
                    ObjectAnswer::Response(response) => (Opened::Answer(response), None),
                    ObjectAnswer::Upgrade(upgrade) => instance.accept(upgrade),
                }
            };
            let (opened, greeting) = Turns::new(&instance, event).await;
            match opened {
                Opened::Answer(response) => instance.answer(busy, sender, response),
                opened => instance.put_out(busy, move || sender.send(opened)),
            }
            if let Some((socket, greeting)) = greeting {
                socket.send(greeting);
            }
        });
        answer
    }

    fn accept(&self, upgrade: Upgrade) -> (Opened, Option<(ObjectSocket, Bytes)>) {
        let Upgrade { tag, attachment, greeting, otherwise } = upgrade;
        match self.state.accept(&tag, attachment) {
            Ok(socket) => {
                self.environment.note(format_args!("{}: accepts socket {}", self.label, socket.number()));
                (Opened::Socket(socket.number(), socket.mailbox()), Some((socket, greeting)))
            }
            Err(error) => {
                self.environment.note(format_args!("{}: a socket is refused: {error}", self.label));
                (Opened::Answer(otherwise), None)
            }
        }
    }

    /// An event for which the object only has to be awake.
    pub(crate) fn wake(self: &Rc<Self>) {
        let busy = self.state.activity().begin_event();
        let instance = self.clone();
        self.node.spawn(async move {
            instance.actor().await;
            drop(busy);
        });
    }

    /// The peer of a socket has gone. Returns whether this instance accepted the socket after it was superseded.
    pub(crate) fn end_socket(&self, number: u64) -> bool {
        self.state.sockets_held().end(number)
    }

    /// Runs the object's `alarm`. If that succeeds, and the alarm was not set again meanwhile, the setting of that
    /// version is removed.
    pub(crate) fn alarm(self: &Rc<Self>, version: u64) -> Reply<Result<(), AlarmFailure>> {
        let (sender, answer) = reply();
        let busy = self.state.activity().begin_event();
        let instance = self.clone();
        self.node.spawn(async move {
            let actor = instance.actor().await;
            let outcome = Turns::new(&instance, actor.alarm()).await;
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
        self.state.storage().supersede(reads_fail);
        self.state.part_with_sockets();
        self.state.activity().stop_recording();
    }

    /// Ends it: its events are never polled again, and what the gate holds back never leaves.
    pub(crate) fn end(&self, why: &str) {
        if self.standing.replace(Standing::Ended) == Standing::Superseded {
            self.state.sockets_held().reset(&self.environment);
        }
        self.environment.note(format_args!("{}: ends, {why}", self.label));
        self.node.kill();
        self.state.gate().discard();
        // Drops the events that wait for the constructor.
        self.waiting.take();
    }

    fn construct(self: &Rc<Self>, settings: Settings<P::Class>) {
        self.turn(false, || {
            let may_write = P::Class::may_write_at_start(self.state.storage());
            let before = self.state.storage().journal().position();
            let actor = P::Class::new(self.state.clone(), settings);
            let after = self.state.storage().journal().position();
            assert!(may_write || before == after, "{}: a constructor wrote what it must not", self.label);
            _ = self.actor.set(actor);
        });
        if self.has_ended() {
            return;
        }
        self.environment.note(format_args!("{}: started", self.label));
        for event in self.waiting.take().unwrap_or_default() {
            event.send(());
        }
    }

    /// The object, once it is constructed.
    async fn actor(&self) -> &P::Class {
        let constructed = self.waiting.borrow_mut().as_mut().map(|waiting| {
            let (sender, constructed) = reply();
            waiting.push(sender);
            constructed
        });
        if let Some(constructed) = constructed {
            constructed.await;
        }
        match self.actor.get() {
            Some(actor) => actor,
            // The instance ended before it was constructed, and this task ends with it.
            None => std::future::pending().await,
        }
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

    fn answer(self: &Rc<Self>, busy: Busy, sender: ReplySender<Opened>, response: Response) {
        let instance = Rc::downgrade(self);
        self.put_out(busy, move || {
            if let Some(instance) = instance.upgrade() {
                instance.note_answer(&response);
                sender.send(Opened::Answer(response));
            }
        });
    }

    fn put_out(self: &Rc<Self>, busy: Busy, output: impl FnOnce() + 'static) {
        let output = move || {
            drop(busy);
            output();
        };
        if self.environment.is_mutated(HostMutant::AnswerBeforeGate) {
            output();
        } else if self.state.put_out(output) {
            self.environment.mark(marks::GATE_HELD_ANSWER);
            self.crash_while_held();
        }
    }

    fn note_answer(&self, response: &Response) {
        let superseded = self.standing.get() == Standing::Superseded;
        let by = if superseded { " (superseded)" } else { "" };
        self.environment.note(format_args!("{}{by}: answers {}", self.label, response.status));
        if superseded {
            self.environment.mark(marks::SUPERSEDED_INSTANCE_ANSWERED);
        }
    }

    /// Draws whether the object crashes while the gate holds an answer back, and at a random moment of that wait.
    fn crash_while_held(self: &Rc<Self>) {
        if !self.environment.chance(self.environment.faults().objects.crash_held_permille) {
            return;
        }
        let wait_ms = self.flushed_ms.get().saturating_sub(self.environment.now_ms());
        let after_ms = self.environment.random.between(0, wait_ms.saturating_sub(1));
        let instance = self.clone();
        self.node.spawn(async move {
            rt::sleep_ms(after_ms).await;
            // The answer may have left, or the faults may have ended.
            if instance.state.gate().holds() && instance.environment.faults().objects.crash_held_permille > 0 {
                instance.crash();
            }
        });
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
                self.environment.note(format_args!("{}: its alarm is rejected", self.label));
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
