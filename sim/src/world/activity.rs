//! When an instance has something to do and when it is idle: what decides about hibernation, and what is billed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::bill::Cause;
use crate::kernel::rt;
use crate::world::clock;

/// A span of time in which an instance always had something to do. The platform bills only these spans, since an idle
/// object that can hibernate costs nothing (Cloudflare, Durable Objects pricing).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// When it began, in virtual ms since the Unix epoch.
    pub begin_ms: u64,
    /// When it ended, in virtual ms since the Unix epoch.
    pub end_ms: u64,
    /// How many events came meanwhile (requests, upgrades, alarms, ends of sockets) and how many calls it made,
    /// together.
    pub events: u64,
    /// For how much of the time a call of another service was under way, in ms.
    pub calling_ms: u64,
    /// For what it is billed: the kind of its first event.
    pub cause: Cause,
}

/// The spells of all instances of an object, in the order of their ends.
pub(crate) type Spells = Rc<RefCell<Vec<Spell>>>;

/// Counts what keeps an instance in memory; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Activity(Rc<Counts>);

#[derive(Default)]
struct Counts {
    busy: Cell<u64>,
    idle_since_ns: Cell<u64>,
    busy_since_ns: Cell<u64>,
    events: Cell<u64>,
    calls: Cell<u64>,
    calling_since_ns: Cell<u64>,
    calling_ns: Cell<u64>,
    cause: Cell<Option<Cause>>,
    spells: RefCell<Option<Spells>>,
}

impl Activity {
    /// The activity of an instance, whose spells go to `spells`.
    pub(crate) fn new(spells: Spells) -> Self {
        Self(Rc::new(Counts { spells: RefCell::new(Some(spells)), ..Counts::default() }))
    }

    /// The instance has something to do until the guard is dropped.
    pub(crate) fn begin(&self) -> Busy {
        if self.0.busy.get() == 0 {
            self.0.busy_since_ns.set(rt::now_ns());
            self.0.events.set(0);
            self.0.calling_ns.set(0);
            self.0.cause.take();
        }
        self.0.busy.set(self.0.busy.get() + 1);
        Busy(self.clone())
    }

    /// An event came: the instance has something to do until the guard is dropped.
    pub(crate) fn begin_event(&self, cause: Cause) -> Busy {
        let busy = self.begin();
        if self.0.cause.get().is_none() {
            self.0.cause.set(Some(cause));
        }
        self.count_event(busy)
    }

    /// If nothing but an alarm has come in the spell that is under way, the spell is billed for what that works for.
    pub(crate) fn tell_cause(&self, cause: Cause) {
        if self.0.events.get() <= 1 {
            self.0.cause.set(Some(cause));
        }
    }

    fn count_event(&self, busy: Busy) -> Busy {
        self.0.events.set(self.0.events.get() + 1);
        busy
    }

    /// The instance waits for a call of another service until the guard is dropped.
    pub(crate) fn call(&self) -> Calling {
        let busy = self.count_event(self.begin());
        if self.0.calls.replace(self.0.calls.get() + 1) == 0 {
            self.0.calling_since_ns.set(rt::now_ns());
        }
        Calling { busy }
    }

    /// Ends the spell that is under way, and records no more: what a superseded instance does beside its successor is
    /// not the object's work.
    pub(crate) fn stop_recording(&self) {
        if self.0.busy.get() > 0 {
            self.0.end_spell();
        }
        self.0.spells.take();
    }

    /// For how long the instance has been idle, in ms, rounded up; `None` if it has something to do.
    pub(crate) fn idle_ms(&self) -> Option<u64> {
        let idle_ns = rt::now_ns().saturating_sub(self.0.idle_since_ns.get());
        (self.0.busy.get() == 0).then(|| idle_ns.div_ceil(1_000_000))
    }

    /// When the idle time began, in virtual ns. It differs from one idle time to the next.
    pub(crate) fn idle_since_ns(&self) -> u64 {
        self.0.idle_since_ns.get()
    }
}

/// A guard: as long as it lives, the instance has something to do.
pub(crate) struct Busy(Activity);

impl Drop for Busy {
    fn drop(&mut self) {
        let counts = &self.0.0;
        counts.busy.set(counts.busy.get() - 1);
        if counts.busy.get() == 0 {
            counts.idle_since_ns.set(rt::now_ns());
            counts.end_spell();
        }
    }
}

/// A guard: as long as it lives, a call of another service is under way.
pub(crate) struct Calling {
    busy: Busy,
}

impl Drop for Calling {
    fn drop(&mut self) {
        let counts = &self.busy.0.0;
        counts.calls.set(counts.calls.get() - 1);
        if counts.calls.get() == 0 {
            counts.calling_ns.set(counts.calling_ns.get() + counts.since_call_ns());
        }
    }
}

impl Counts {
    fn since_call_ns(&self) -> u64 {
        rt::now_ns().saturating_sub(self.calling_since_ns.get())
    }

    fn end_spell(&self) {
        if let Some(spells) = &*self.spells.borrow() {
            let (begin_ms, end_ms) = (clock::ms_of(self.busy_since_ns.get()), clock::now_ms());
            let under_way_ns = if self.calls.get() > 0 { self.since_call_ns() } else { 0 };
            let calling_ms = (self.calling_ns.get() + under_way_ns) / 1_000_000;
            // Where nothing came, what was written before becomes durable.
            let cause = self.cause.get().unwrap_or(Cause::Write);
            spells.borrow_mut().push(Spell { begin_ms, end_ms, events: self.events.get(), calling_ms, cause });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_spell_begins_when_the_last_of_the_work_ends() {
        rt::block_on(1, async {
            let activity = Activity::default();
            let (first, second) = (activity.begin(), activity.begin());
            rt::sleep_ms(20).await;
            drop(first);
            assert_eq!(activity.idle_ms(), None);
            drop(second);
            let spell = activity.idle_since_ns();
            rt::sleep_ms(500).await;
            assert!((500..=501).contains(&activity.idle_ms().unwrap()));
            drop(activity.begin());
            assert_ne!(activity.idle_since_ns(), spell);
        });
    }

    #[test]
    fn a_spell_lasts_from_the_first_of_the_work_to_the_last_and_counts_its_events() {
        rt::block_on(1, async {
            let spells = Spells::default();
            let activity = Activity::new(spells.clone());
            let first = activity.begin_event(Cause::Read);
            rt::sleep_ms(20).await;
            let second = activity.begin_event(Cause::Read);
            drop(first);
            let flush = activity.begin();
            drop(second);
            rt::sleep_ms(30).await;
            drop(flush);
            rt::sleep_ms(500).await;
            drop(activity.begin_event(Cause::Read));
            let calls = (activity.call(), activity.call());
            rt::sleep_ms(40).await;
            drop(calls.0);
            rt::sleep_ms(5).await;
            drop(calls.1);
            let unrecorded = activity.begin_event(Cause::Read);
            rt::sleep_ms(10).await;
            let call = activity.call();
            rt::sleep_ms(20).await;
            activity.stop_recording();
            rt::sleep_ms(500).await;
            drop((unrecorded, call));
            drop(activity.begin_event(Cause::Read));
            let seen = spells.take();
            let seen: Vec<_> =
                seen.iter().map(|spell| (spell.end_ms - spell.begin_ms, spell.events, spell.calling_ms)).collect();
            assert_eq!(seen, [(50, 2, 0), (0, 1, 0), (45, 2, 45), (30, 2, 20)]);
        });
    }
}
