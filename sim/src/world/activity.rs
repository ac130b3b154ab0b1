//! Whether an instance has something to do, since when it has not, and for how long it had.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::kernel::rt;
use crate::world::clock;

/// A time in which an instance had something to do without a pause: what the platform bills, since an idle object that
/// can hibernate costs nothing (Cloudflare, Durable Objects pricing).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// When it began, in virtual ms since the Unix epoch.
    pub begin_ms: u64,
    /// When it ended.
    pub end_ms: u64,
    /// The events that came meanwhile (requests, upgrades, alarms, ends of sockets), and the calls of other services.
    pub events: u64,
    /// For how much of it a call of another service was under way, in ms.
    pub calling_ms: u64,
}

/// The spells of all instances of an object, by their ends.
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
    spells: RefCell<Option<Spells>>,
}

impl Activity {
    /// Of an instance whose spells are kept there.
    pub(crate) fn new(spells: Spells) -> Self {
        Self(Rc::new(Counts { spells: RefCell::new(Some(spells)), ..Counts::default() }))
    }

    /// Something to do, until the guard goes.
    pub(crate) fn begin(&self) -> Busy {
        if self.0.busy.get() == 0 {
            self.0.busy_since_ns.set(rt::now_ns());
            self.0.events.set(0);
            self.0.calling_ns.set(0);
        }
        self.0.busy.set(self.0.busy.get() + 1);
        Busy(self.clone())
    }

    /// The same, because an event came.
    pub(crate) fn begin_event(&self) -> Busy {
        let busy = self.begin();
        self.0.events.set(self.0.events.get() + 1);
        busy
    }

    /// The same, because it waits for another service, until the guard goes.
    pub(crate) fn call(&self) -> Calling {
        let busy = self.begin_event();
        if self.0.calls.replace(self.0.calls.get() + 1) == 0 {
            self.0.calling_since_ns.set(rt::now_ns());
        }
        Calling { busy }
    }

    /// Ends the spell that is under way, and records none from here on: what the platform runs on beside a successor is
    /// no work of the object.
    pub(crate) fn stop_recording(&self) {
        if self.0.busy.get() > 0 {
            self.0.end_spell();
        }
        self.0.spells.take();
    }

    /// For how long there has been nothing to do, in ms, rounded up; `None` if there is something.
    pub(crate) fn idle_ms(&self) -> Option<u64> {
        let idle_ns = rt::now_ns().saturating_sub(self.0.idle_since_ns.get());
        (self.0.busy.get() == 0).then(|| idle_ns.div_ceil(1_000_000))
    }

    /// When the idle spell began, in virtual ns: tells one spell from the next.
    pub(crate) fn idle_since_ns(&self) -> u64 {
        self.0.idle_since_ns.get()
    }
}

/// Something to do.
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

/// A call of another service.
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
            spells.borrow_mut().push(Spell { begin_ms, end_ms, events: self.events.get(), calling_ms });
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
            let first = activity.begin_event();
            rt::sleep_ms(20).await;
            let second = activity.begin_event();
            drop(first);
            let flush = activity.begin();
            drop(second);
            rt::sleep_ms(30).await;
            drop(flush);
            rt::sleep_ms(500).await;
            drop(activity.begin_event());
            let calls = (activity.call(), activity.call());
            rt::sleep_ms(40).await;
            drop(calls.0);
            rt::sleep_ms(5).await;
            drop(calls.1);
            let unrecorded = activity.begin_event();
            rt::sleep_ms(10).await;
            let call = activity.call();
            rt::sleep_ms(20).await;
            activity.stop_recording();
            rt::sleep_ms(500).await;
            drop((unrecorded, call));
            drop(activity.begin_event());
            let seen = spells.take();
            let seen: Vec<_> =
                seen.iter().map(|spell| (spell.end_ms - spell.begin_ms, spell.events, spell.calling_ms)).collect();
            assert_eq!(seen, [(50, 2, 0), (0, 1, 0), (45, 2, 45), (30, 2, 20)]);
        });
    }
}
