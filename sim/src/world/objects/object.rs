//! An object: what of it outlives its instances, and the instances that run.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::rc::{Rc, Weak};

use tailrace_core::protocol::Class;
use tailrace_core::runtime::{AlarmFailure, ObjectRequest};

use crate::bill::Cause;
use crate::kernel::reply::Reply;
use crate::kernel::rt;
use crate::world::activity::{Spell, Spells};
use crate::world::alarm::service::{self as alarm, Alarm, Alarmed};
use crate::world::clock::MachineClock;
use crate::world::environment::Environment;
use crate::world::event::{Lane, What};
use crate::world::faults::Faults;
use crate::world::harm::Harm;
use crate::world::host_mutant::HostMutant;
use crate::world::marks;
use crate::world::network::callee::{Callee, Caller, Opened};
use crate::world::objects::class::ObjectClass;
use crate::world::objects::instance::{Instance, Parent, Rest};
use crate::world::objects::state::ObjectState;
use crate::world::objects::turn::TakesTurns;
use crate::world::services::Services;
use crate::world::sockets::object_sockets::Sockets;
use crate::world::storage::journal::Journal;
use crate::world::storage::outlet::Outlet;

/// An object: what of it outlives its instances, and the instances that run.
pub(crate) struct Object<A: ObjectClass> {
    class: Class,
    /// How it is written: no other object of any class has this name.
    name: Rc<str>,
    /// The index of its datacenter.
    colo: usize,
    environment: Rc<Environment>,
    services: Rc<Services>,
    settings: A::Settings,
    callee: Weak<dyn Callee>,
    journal: Rc<Journal>,
    sockets: Rc<Sockets>,
    spells: Spells,
    alarm: Alarm,
    running: RefCell<Option<Rc<Instance<Self>>>>,
    superseded: RefCell<Vec<Rc<Instance<Self>>>>,
    starts: Cell<u64>,
    /// The release that it has run last.
    release: Cell<u32>,
    rest: Cell<Rest>,
    /// The clock of the machine on which it runs, or has run last.
    clock: Cell<MachineClock>,
}

impl<A: ObjectClass> Object<A> {
    pub(crate) fn new(
        (class, name): (Class, &str),
        colo: usize,
        environment: Rc<Environment>,
        services: Rc<Services>,
        settings: A::Settings,
        callee: Weak<dyn Callee>,
    ) -> Rc<Self> {
        Rc::new(Self {
            class,
            name: name.into(),
            colo,
            services,
            settings,
            callee,
            journal: Rc::new(Journal::open()),
            sockets: Rc::new(Sockets::of(colo)),
            spells: Spells::default(),
            alarm: Alarm::default(),
            running: RefCell::default(),
            superseded: RefCell::default(),
            starts: Cell::default(),
            release: Cell::default(),
            rest: Cell::new(Rest::New),
            clock: Cell::new(environment.map.clock(colo)),
            environment,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.borrow().is_some()
    }

    /// How often it was started.
    pub(crate) fn starts(&self) -> u64 {
        self.starts.get()
    }

    /// The spells in which it had something to do and that are over.
    pub(crate) fn spells(&self) -> Vec<Spell> {
        self.spells.borrow().clone()
    }

    /// A request arrives.
    pub(crate) fn call(self: &Rc<Self>, request: ObjectRequest, caller: Caller) -> Reply<Opened> {
        let instance = self.stale_route().unwrap_or_else(|| self.instance(A::cause(&request.message)));
        self.environment.note(
            Lane::Instance(instance.label()),
            What::Called { message: &request.message },
            caller.cause,
        );
        instance.call(request, caller)
    }

    /// The edge's end of a socket has gone. The platform tells the object, which wakes for it and has nothing to do.
    pub(crate) fn end_socket(self: &Rc<Self>, number: u64) {
        if let Some(cause) = self.sockets.end(number) {
            self.environment.mark(marks::SOCKET_CLOSED_BY_EDGE);
            let instance = self.instance(cause);
            self.environment.note(Lane::Instance(instance.label()), What::SocketClosed { number }, None);
            instance.wake(cause);
            return;
        }
        // A superseded instance may crash as it wakes, and goes out of the list then.
        let ended = |instance: &Rc<Instance<Self>>| Some((instance.clone(), instance.end_socket(number)?));
        let found = self.superseded.borrow().iter().find_map(ended);
        if let Some((instance, cause)) = found {
            instance.wake(cause);
        }
    }

    /// How many sockets it holds open.
    pub(crate) fn sockets(&self) -> usize {
        self.sockets.count()
    }

    /// Crashes the object: its memory is lost, unconfirmed writes may be, sockets are cut, and calls fail. If it
    /// sleeps, its sockets are all there is to lose.
    pub(crate) fn crash(self: &Rc<Self>) {
        let running = self.running.borrow().clone();
        match running {
            Some(instance) => self.crash_instance(&instance),
            None => self.sockets.reset(&self.environment),
        }
    }

    /// A deploy reaches the object: an instance of an earlier release is reset, and sockets are cut in any case.
    pub(crate) fn deploy(self: &Rc<Self>) {
        let running = self.running.borrow().clone();
        match running {
            Some(instance) if instance.is_of_present_release() => {}
            Some(instance) => self.crash_instance(&instance),
            None => self.sockets.reset(&self.environment),
        }
    }

    /// Evicts the object if it is idle.
    pub(crate) fn evict(&self) {
        let idle = self.running.borrow().clone().filter(|running| running.is_idle());
        if let Some(instance) = idle {
            self.rest(&instance, Rest::Evicted);
        }
    }

    /// Has a successor take over while the running instance goes on for a while without owning the storage.
    pub(crate) fn supersede(self: &Rc<Self>) {
        let Some(instance) = self.running.take() else { return };
        let faults = self.environment.faults();
        self.environment.note(Lane::Instance(instance.label()), What::Superseded, None);
        self.environment.harm_object(Harm::ObjectSuperseded, &self.name);
        instance.supersede(faults.objects.superseded_reads_fail);
        self.superseded.borrow_mut().push(instance.clone());
        self.rest.set(Rest::New);
        self.lose_instance();
        let lasts_ms = self.environment.draw_ms(faults.objects.superseded);
        let object = self.clone();
        self.environment.node.spawn(async move {
            rt::sleep_ms(lasts_ms).await;
            object.end_superseded(&instance);
        });
    }

    /// The index of its datacenter.
    pub(crate) fn colo(&self) -> usize {
        self.colo
    }

    /// The host fails on which it is placed: all its instances are gone.
    pub(crate) fn lose_host(self: &Rc<Self>) {
        self.crash();
        for instance in self.superseded.take() {
            instance.end("its host fails");
        }
    }

    /// Ends all superseded instances.
    pub(crate) fn end_all_superseded(&self) {
        for instance in self.superseded.take() {
            instance.end("its time is up");
        }
    }

    fn end_superseded(&self, instance: &Rc<Instance<Self>>) {
        let mut ended = self.superseded.borrow_mut();
        if let Some(index) = ended.iter().position(|superseded| Rc::ptr_eq(superseded, instance)) {
            ended.remove(index).end("its time is up");
        }
    }

    /// The running instance no longer owns the storage: a prefix of the unconfirmed writes is kept, and sockets are
    /// cut.
    fn lose_instance(self: &Rc<Self>) {
        let unconfirmed = self.journal.unconfirmed();
        let kept = self.environment.random.between(0, unconfirmed);
        if unconfirmed > 0 {
            self.environment.note(Lane::Object(&self.name), What::Kept { kept, unconfirmed }, None);
        }
        let crashed = self.rest.get() == Rest::Crashed;
        if crashed && kept > 0 {
            self.environment.mark(marks::CRASH_KEPT_UNCONFIRMED_WRITE);
        }
        if crashed && kept < unconfirmed {
            self.environment.mark(marks::CRASH_LOST_UNCONFIRMED_WRITE);
        }
        self.journal.crash(kept);
        self.sockets.reset(&self.environment);
        alarm::arm(self);
    }

    /// The running instance. If there is none, one is started, for an event of that kind, or for a deploy.
    fn instance(self: &Rc<Self>, cause: Cause) -> Rc<Instance<Self>> {
        if let Some(instance) = &*self.running.borrow() {
            return instance.clone();
        }
        match self.rest.get() {
            Rest::New => {}
            Rest::Hibernated => self.environment.mark(marks::HIBERNATED_AND_RESUMED),
            Rest::Evicted => self.environment.mark(marks::EVICTED_AND_RESTARTED),
            Rest::Crashed => self.environment.mark(marks::CRASHED_AND_RESTARTED),
        }
        self.starts.set(self.starts.get() + 1);
        self.change_machine();
        let outlet =
            Outlet::new(self.name.clone(), self.environment.clone(), self.journal.clone(), self.spells.clone());
        let (sockets, callee) = (self.sockets.clone(), self.callee.clone());
        let state = ObjectState::new(self.class, outlet, &self.services, sockets, callee, self.clock.get());
        if self.rest.get() == Rest::Hibernated && !self.sockets.is_empty() {
            state.wake_with_sockets();
        }
        let release = self.environment.release.get();
        let is_deployed = self.starts.get() > 1 && self.release.replace(release) != release;
        self.release.set(release);
        let started_for = if is_deployed { Cause::Deploy } else { cause };
        let instance = Instance::start(self, (self.starts.get(), started_for), state, self.settings.clone());
        self.running.replace(Some(instance.clone()));
        instance
    }

    /// As long as clocks differ, an object that starts again is on another machine every other time. Where it has
    /// sockets it is on the same: its machine holds them while it hibernates, and they are cut when it leaves it.
    fn change_machine(&self) {
        let environment = &self.environment;
        let off_ms = environment.faults().objects.clock_off_ms;
        if off_ms == 0 || !self.sockets.is_empty() || environment.chance(500) {
            return;
        }
        let clock = MachineClock::draw(&environment.random, off_ms).in_colo(environment.map.clock(self.colo));
        if clock.is_behind(self.clock.replace(clock)) {
            environment.mark(marks::CLOCK_STEPPED_BACK);
        }
    }

    /// The superseded instance that a request reaches because its sender has not heard of the successor.
    fn stale_route(&self) -> Option<Rc<Instance<Self>>> {
        let superseded = self.superseded.borrow().last().cloned()?;
        let stale = self.environment.chance(self.environment.faults().objects.stale_route_permille);
        Some(superseded).filter(|instance| stale && !instance.has_ended())
    }
}

impl<A: ObjectClass> Alarmed for Object<A> {
    fn name(&self) -> &str {
        &self.name
    }

    fn environment(&self) -> &Rc<Environment> {
        &self.environment
    }

    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn alarm_service(&self) -> &Alarm {
        &self.alarm
    }

    fn call_alarm(self: &Rc<Self>, version: u64) -> Reply<Result<(), AlarmFailure>> {
        if !self.is_running() {
            self.environment.mark(marks::ALARM_STARTED_OBJECT);
        }
        let instance = self.instance(Cause::Expiry);
        self.environment.note(Lane::Instance(instance.label()), What::Alarm, None);
        instance.alarm(version)
    }
}

impl<A: ObjectClass> Parent for Object<A> {
    type Class = A;

    fn colo(&self) -> usize {
        self.colo
    }

    fn crash_instance(self: &Rc<Self>, instance: &Rc<Instance<Self>>) {
        instance.end("crash");
        if self.running.borrow_mut().take_if(|running| Rc::ptr_eq(running, instance)).is_none() {
            self.superseded.borrow_mut().retain(|superseded| !Rc::ptr_eq(superseded, instance));
            return;
        }
        self.environment.harm_object(Harm::ObjectReset, &self.name);
        self.rest.set(Rest::Crashed);
        self.lose_instance();
    }

    fn rest(&self, instance: &Rc<Instance<Self>>, rest: Rest) {
        if self.running.borrow_mut().take_if(|running| Rc::ptr_eq(running, instance)).is_none() {
            return;
        }
        instance.end(if rest == Rest::Hibernated { "hibernates" } else { "evicted" });
        self.rest.set(rest);
        let usual_ms = Faults::default().objects.hibernate_after_ms;
        match self.environment.faults().objects.hibernate_after_ms.cmp(&usual_ms) {
            Ordering::Less if rest == Rest::Hibernated => self.environment.mark(marks::HIBERNATED_EARLY),
            Ordering::Greater if rest == Rest::Hibernated => self.environment.mark(marks::HIBERNATED_LATE),
            _ => {}
        }
        if rest == Rest::Hibernated && !self.sockets.is_empty() {
            self.environment.mark(marks::HIBERNATED_WITH_SOCKETS);
        }
        if self.environment.is_mutated(HostMutant::AlarmLostAtEviction) {
            self.journal.lose_alarm();
        }
        if self.environment.is_mutated(HostMutant::SocketsForgottenAtHibernation) {
            self.sockets.forget();
        }
    }
}
