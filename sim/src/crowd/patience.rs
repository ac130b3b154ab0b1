//! For how long readers wait: who has no answer by then gives the request up, and comes back. A record on the agenda would
//! cost more than most requests do, so a reader has one for all, which looks whether it has waited for that long.

use super::agenda::What;
use super::bug::CrowdBug;
use super::engine::Engine;
use super::setting::{Class, InFront, Setting};

/// When nothing has gone wrong for so long, nothing that did is felt any more, in us.
pub(super) const FORGOTTEN_AFTER_US: u64 = 60_000_000;
/// How long past the server's own time-out a long-poll is waited for, in us.
const GRACE_US: u64 = 8_000_000;
/// A reader of events that hears nothing at all for this long hangs up, in us: there should have been keep-alives.
const SILENCE_US: u64 = 40_000_000;
/// How long a page is waited for, in us.
const PAGE_US: u64 = 40_000_000;
/// The wait after a first failure, in us; each further one in a row is twice as long.
const BACK_OFF_US: u64 = 1_000_000;
/// How often it becomes twice as long, at most.
const MOST_DOUBLINGS: u8 = 3;

impl Setting {
    /// How long a reader of that class waits until it gives up, in us. What stands in front may have it wait for another's
    /// fetch first, in each of its tiers.
    pub(super) fn patience_us(&self, class: Class) -> u64 {
        let behind_us = match class {
            Class::LongPoll | Class::Idle => self.waits().long_poll_ms * 1_000 + GRACE_US,
            Class::Events => SILENCE_US,
            Class::CatchUp => PAGE_US,
        };
        let in_front_ms = match self.front {
            InFront::Nothing => 0,
            InFront::Zone => self.knobs.zone.lock.wait_ms * if self.knobs.zone.tiered { 2 } else { 1 },
            InFront::WorkersCache | InFront::Between => self.knobs.workers_cache.lock.wait_ms * 2,
        };
        behind_us + in_front_ms * 1_000
    }
}

impl Engine {
    /// A reader waits from now on.
    pub(super) fn be_patient(&mut self, reader: u32) {
        if !self.setting.gives_up || self.setting.bug == Some(CrowdBug::NeverGivesUp) {
            return;
        }
        let it = &mut self.readers[reader as usize];
        let until_us = self.site.now_us() + self.setting.patience_us(it.class);
        it.patient_until_us = until_us;
        if !std::mem::replace(&mut it.is_watched, true) {
            self.enter(until_us, reader, What::LosesPatience);
        }
    }

    /// A reader of events hears something: it listens on.
    pub(super) fn hears(&mut self, reader: u32) {
        let it = &mut self.readers[reader as usize];
        it.failures = 0;
        if it.patient_until_us > 0 {
            it.patient_until_us = self.site.now_us() + self.setting.patience_us(it.class);
        }
    }

    /// A reader may have waited for too long.
    pub(super) fn lose_patience(&mut self, reader: u32) {
        let it = &mut self.readers[reader as usize];
        let until_us = it.patient_until_us;
        it.is_watched = until_us > self.site.now_us();
        if it.is_watched {
            return self.enter(until_us, reader, What::LosesPatience);
        }
        if until_us > 0 {
            let (url, asked_us, class) = (it.url, it.asked_us, it.class);
            // Who has heard something since it asked has its answer, and waits for no fetch.
            let has_heard = until_us > asked_us + self.setting.patience_us(class);
            let is_unreached = !has_heard && self.was_unresolved_since(url, asked_us);
            self.count_given_up(reader, asked_us, is_unreached);
            self.hang_up(reader);
            self.back_off(reader);
        }
    }

    /// A reader was refused.
    pub(super) fn refused(&mut self, reader: u32) {
        let asked_us = self.readers[reader as usize].asked_us;
        self.count_refused(reader, asked_us);
        self.back_off(reader);
    }

    /// A reader has no answer, since a cache in front has none.
    pub(super) fn unreached(&mut self, reader: u32) {
        let it = &self.readers[reader as usize];
        self.count_unreached(reader, it.url, it.asked_us);
        self.back_off(reader);
    }

    /// Whether a fetch for which the origin's name had not resolved was under way for that URL since then: what was asked for
    /// may have waited for it.
    pub(super) fn was_unresolved_since(&self, url: u32, asked_us: u64) -> bool {
        self.hangs_until_us.get(&url).is_some_and(|until_us| *until_us >= asked_us)
    }

    /// Counts a request that was sent then and for which a cache in front has no answer: the reader's, or its browser's own.
    pub(super) fn count_unreached(&mut self, reader: u32, url: u32, asked_us: u64) {
        if !self.was_unresolved_since(url, asked_us) {
            return self.count_refused(reader, asked_us);
        }
        let class = self.readers[reader as usize].class;
        self.figures.classes[class as usize].unreached += 1;
        self.count_late(class, asked_us);
    }

    /// Counts a request that was sent then and was refused: the reader's, or its browser's own.
    pub(super) fn count_refused(&mut self, reader: u32, asked_us: u64) {
        let class = self.readers[reader as usize].class;
        self.figures.classes[class as usize].refused += 1;
        self.count_late(class, asked_us);
    }

    /// Counts a request that was sent then and was given up: the reader's, or its browser's own.
    pub(super) fn count_given_up(&mut self, reader: u32, asked_us: u64, is_unreached: bool) {
        let class = self.readers[reader as usize].class;
        let figures = &mut self.figures.classes[class as usize];
        *(if is_unreached { &mut figures.unreached } else { &mut figures.given_up }) += 1;
        self.count_late(class, asked_us);
    }

    /// Counts a request that has brought nothing, if it was sent when nothing had gone wrong for long.
    fn count_late(&mut self, class: Class, asked_us: u64) {
        let is_late = asked_us > self.calm_us.saturating_add(FORGOTTEN_AFTER_US);
        self.figures.classes[class as usize].late += u64::from(is_late);
    }

    /// A reader that got nothing asks again after a while.
    fn back_off(&mut self, reader: u32) {
        let it = &mut self.readers[reader as usize];
        let after_us = BACK_OFF_US << it.failures;
        it.failures = (it.failures + 1).min(MOST_DOUBLINGS);
        self.ask_after(reader, after_us);
    }

    /// The longest time between two requests of a reader of that class, in us: as long as its connection may last, and
    /// what it waits before the next one. Who has not asked for longer has stopped.
    pub(super) fn longest_us(&self, class: Class) -> u64 {
        let connection_us = if class == Class::Events { self.setting.waits().sse_ms * 1_200 } else { 0 };
        let rests_us = if class == Class::CatchUp { self.site.knobs.reads_again.max_us } else { 0 };
        let back_off_us = BACK_OFF_US << MOST_DOUBLINGS;
        connection_us + rests_us + back_off_us + self.setting.patience_us(class)
    }
}
