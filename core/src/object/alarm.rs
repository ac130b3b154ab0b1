//! The alarm's handler: does what is due on the agenda.
//!
//! The platform runs one handler of an object at a time. So the handler must not wait for one duty while another falls
//! due, however long R2 takes: it begins every duty that is due, goes on with all of them side by side, and looks at
//! the agenda again when one ends, when another falls due, and when a request has entered one.
//!
//! | duty | at a time |
//! | --- | --- |
//! | expiry | done at once, in one turn |
//! | rotation, sweep | one of each |
//! | removal of objects | [`REMOVALS_AT_ONCE`], each of another stream |
//!
//! A duty that fails backs off by itself: its entry moves to a later time, and counts its failures. The handler
//! succeeds all the same, because the platform gives up an alarm whose handler fails seven times in a row, and with it
//! all duties. It fails only if the agenda itself can be neither read nor written.

use std::future::poll_fn;
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::agenda::{Duty, Entry};
use super::failure::Failure;
use super::stream_object::StreamObject;
use crate::protocol::Expiry;
use crate::runtime::{ActorState, marks};
use crate::storage::SqlError;
use crate::stream::Slot;

/// For how long a handler begins further steps with R2, in ms. Our choice: far below the 15 minutes that the platform
/// gives a handler (Cloudflare, Alarms), so that the last steps have time to end, and too short for the rotation of a
/// long log to use up the CPU time of one event. The next alarm does the rest.
const ALARM_MS: u64 = 60_000;

/// How many removed streams have their objects deleted at a time. Our choice: one that R2 does not answer does not hold
/// up the next, and with the rotation and a sweep four of the six connections of an object are used at most.
const REMOVALS_AT_ONCE: usize = 2;

/// A duty under way. Its work fails only if the agenda cannot be written.
struct Step<'a> {
    entry: Entry,
    work: LocalBoxFuture<'a, Result<(), SqlError>>,
}

impl<S: ActorState> StreamObject<S> {
    /// Does what is due, and what falls due meanwhile.
    pub(super) async fn do_what_is_due(&self) -> Result<(), SqlError> {
        let began_ms = self.state.now_ms();
        let Some(_running) = self.handler.begin(began_ms) else {
            // The other handler does what is due, and sets the alarm at its end.
            self.handler.look_again();
            return Ok(());
        };
        let (mut steps, mut has_worked) = (Vec::new(), false);
        loop {
            has_worked |= self.begin_what_is_due(&mut steps, began_ms + ALARM_MS)?;
            if steps.is_empty() {
                return self.agenda.set_next_alarm(&self.state, has_worked, &self.early_alarms);
            }
            let now_ms = self.state.now_ms();
            let next_ms = self.agenda.next_due_ms(&self.state, now_ms)?.map(|due_ms| due_ms - now_ms);
            // Before anything else that is far away falls due, the steps have ended.
            self.go_on(&mut steps, next_ms.filter(|ms| *ms <= self.settings.cold.longest_step_ms())).await?;
        }
    }

    /// Does what takes no time, and begins the rest. After `ends_ms` it begins nothing more. Returns whether anything
    /// was due.
    fn begin_what_is_due<'a>(&'a self, steps: &mut Vec<Step<'a>>, ends_ms: u64) -> Result<bool, SqlError> {
        let mut was_due = false;
        loop {
            self.handler.looks_now();
            let now_ms = self.state.now_ms();
            let removals = steps.iter().filter(|step| step.entry.duty == Duty::Remove).count();
            let due = self.agenda.due(&self.state, now_ms, removals < REMOVALS_AT_ONCE)?;
            was_due |= !due.is_empty();
            let is_under_way = |entry: &Entry| steps.iter().any(|step| step.entry.is_same_duty(entry));
            let can_begin = |entry: &Entry| entry.duty == Duty::Expire || (now_ms < ends_ms && !is_under_way(entry));
            let Some(entry) = due.into_iter().find(can_begin) else { return Ok(was_due) };
            if !steps.is_empty() {
                self.state.sometimes(marks::DUTY_BEGUN_BESIDE_ANOTHER);
            }
            if entry.duty == Duty::Expire {
                let expired = self.with_slot(|slot| Ok(self.expire(slot, now_ms)?));
                expired.or_else(|failure| self.back_off_after(&entry, failure))?;
            } else {
                let work = self.perform(entry.clone()).boxed_local();
                steps.push(Step { entry, work });
            }
        }
    }

    async fn perform(&self, entry: Entry) -> Result<(), SqlError> {
        let performed = match entry.duty {
            Duty::Expire => Ok(()),
            Duty::Rotate => self.rotate(&entry).await,
            Duty::Sweep => self.sweep(&entry).await,
            Duty::Remove => self.remove_objects(&entry).await,
        };
        performed.or_else(|failure| self.back_off_after(&entry, failure))
    }

    /// Goes on with the steps until one has ended, `wait_ms` have passed, or the agenda may have changed.
    async fn go_on(&self, steps: &mut Vec<Step<'_>>, wait_ms: Option<u64>) -> Result<(), SqlError> {
        let mut timer = wait_ms.map(|ms| self.state.sleep_ms(ms).boxed_local());
        let mut outcome = Ok(());
        poll_fn(|context| {
            self.handler.is_polled_by(context.waker());
            let under_way = steps.len();
            steps.retain_mut(|step| match step.work.as_mut().poll(context) {
                Poll::Ready(ended) => {
                    if outcome.is_ok() {
                        outcome = ended;
                    }
                    false
                }
                Poll::Pending => true,
            });
            let is_time = timer.as_mut().is_some_and(|timer| timer.as_mut().poll(context).is_ready());
            match steps.len() < under_way || is_time || self.handler.is_to_look_again() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        outcome
    }

    /// A duty has failed by itself, and not by R2: its step was undone.
    fn back_off_after(&self, entry: &Entry, failure: Failure) -> Result<(), SqlError> {
        let message = failure.into_alarm_failure().message;
        tracing::error!(message, duty = ?entry.duty, failures = entry.failures, "a duty failed");
        self.state.sometimes(marks::DUTY_FAILED);
        self.back_off(entry)
    }

    /// Moves a duty that has failed to a later time. The wait doubles with each failure, and a random part of up to a
    /// quarter keeps the streams of a deployment from trying at the same moment. If the entry is no longer what it was
    /// when the duty began, the duty was entered anew or taken away, and the failure does not concern it.
    pub(super) fn back_off(&self, entry: &Entry) -> Result<(), SqlError> {
        if self.agenda.find(&self.state, entry.duty, &entry.subject)?.as_ref() != Some(entry) {
            return Ok(());
        }
        let settings = &self.settings.cold;
        let factor = 1_u64.checked_shl(entry.failures).unwrap_or(u64::MAX);
        let wait_ms = settings.retry_min_ms.saturating_mul(factor).min(settings.retry_max_ms);
        let mut random = [0; 2];
        self.state.fill_random(&mut random);
        let jitter_ms = wait_ms * u64::from(u16::from_le_bytes(random)) / (4 << 16);
        let due_ms = self.state.now_ms() + wait_ms + jitter_ms;
        self.agenda.upsert(&self.state, &Entry { due_ms, failures: entry.failures.saturating_add(1), ..entry.clone() })
    }

    /// Removes the stream, if its time is up; otherwise sees to it later.
    pub(super) fn expire(&self, slot: &mut Slot, now_ms: u64) -> Result<(), SqlError> {
        self.stay_for_readers(slot, now_ms)?;
        match slot {
            Slot::Occupied(stream) if !stream.is_expired(now_ms) => {
                match (&stream.expiry, stream.ends_ms()) {
                    (Expiry::Ttl { .. }, Some(ends_ms)) => {
                        self.state.sometimes(marks::TOUCHED_AFTER_ITS_ALARM_WAS_SET);
                        self.agenda.upsert(&self.state, &Entry::new(Duty::Expire, ends_ms))
                    }
                    // The entry belongs to an earlier stream at this URL.
                    _ => self.agenda.delete(&self.state, Duty::Expire, ""),
                }
            }
            Slot::Occupied(_) => self.remove(slot, now_ms),
            Slot::Vacant { .. } => self.end_duty(slot, Duty::Expire, ""),
        }
    }
}
