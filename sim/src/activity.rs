//! Whether an instance has something to do, and since when it has not.

use std::cell::Cell;
use std::rc::Rc;

use crate::rt;

/// Counts what keeps an instance in memory; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Activity(Rc<Counts>);

#[derive(Default)]
struct Counts {
    busy: Cell<u64>,
    idle_since_ns: Cell<u64>,
}

impl Activity {
    /// Something to do, until the guard goes.
    pub(crate) fn begin(&self) -> Busy {
        self.0.busy.set(self.0.busy.get() + 1);
        Busy(self.clone())
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
}
