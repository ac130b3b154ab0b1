//! Calls of KV over the network. A call takes time and may fail; a put may be applied although it fails, at once or a
//! minute later. What is read may be old, but no older than [`KV_SETTLES_MS`], and no put is applied later than that
//! after it was sent.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tailrace_core::runtime::{KV_LIST_LIMIT, KV_PUT_INTERVAL_MS, KV_SETTLES_MS, KvError, KvListing};

use super::caller::{Caller, Outcome, Told};
use super::location::{Found, Locations};
use super::store::{KvPut, Store};
use crate::bill::Meter;
use crate::kernel::rt;
use crate::world::environment::Environment;
use crate::world::event::{Lane, What};
use crate::world::harm::Harm;
use crate::world::marks;
use crate::world::network::journey::Journey;

/// The namespace, and what each location knows of it.
pub struct Kv {
    environment: Rc<Environment>,
    store: RefCell<Store>,
    locations: RefCell<Locations>,
    /// Until when it is down, in ms since the Unix epoch.
    down_until_ms: Cell<u64>,
}

/// A put on its way.
pub(super) struct Put {
    key: String,
    text: String,
    note: String,
}

impl Put {
    pub(super) fn new(key: &str, text: &str, note: &str) -> Self {
        Self { key: key.to_owned(), text: text.to_owned(), note: note.to_owned() }
    }
}

/// What becomes of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Applied,
    /// It never reached the store.
    Failed,
    /// It came too soon after another one.
    Refused,
    /// It was applied, and its caller is told that it failed.
    FailedThoughApplied,
    /// Its caller is told that it failed, and it is applied this many ms later.
    FailedAndLate(u64),
}

impl Course {
    /// How the put is applied.
    fn how(self) -> &'static str {
        match self {
            Self::Applied => "as asked",
            Self::FailedThoughApplied => "and its caller is told that it failed",
            Self::FailedAndLate(_) => "late",
            Self::Failed | Self::Refused => "never",
        }
    }
}

fn unknown<T>(call: &str) -> Result<T, KvError> {
    // The runtime does not tell more than that.
    Err(KvError(format!("{call} failed: 500 Internal Server Error")))
}

impl Kv {
    pub(in crate::world) fn new(environment: Rc<Environment>) -> Self {
        let (store, locations, down_until_ms) = <_>::default();
        Self { environment, store, locations, down_until_ms }
    }

    /// Has every call fail for this many ms.
    pub fn go_down(&self, for_ms: u64) {
        self.environment.note(Lane::Kv, What::Down { for_ms }, None);
        self.down_until_ms.set(self.environment.now_ms() + for_ms);
    }

    /// Ends an outage.
    pub(in crate::world) fn calm(&self) {
        self.down_until_ms.set(0);
    }

    /// Something else has put a text under a key long ago.
    pub fn prepare(&self, key: &str, text: &str) {
        let now_ms = self.environment.now_ms();
        self.store.borrow_mut().prepare(key, text, now_ms.saturating_sub(KV_SETTLES_MS));
    }

    /// All puts of a key so far, in the order in which they were applied, seen from outside: no call, and not billed.
    pub fn puts(&self, key: &str) -> Vec<KvPut> {
        self.store.borrow().puts(key).to_vec()
    }

    /// Each key with its last put, in the order of the keys.
    pub fn newest(&self) -> Vec<(String, KvPut)> {
        self.store.borrow().newest()
    }

    /// Draws whether a call that arrives now fails before the store sees it; during an outage each does.
    fn stops(&self, caller: &Caller) -> bool {
        let environment = &self.environment;
        let is_down = environment.now_ms() < self.down_until_ms.get();
        if is_down {
            environment.mark(marks::KV_WAS_DOWN);
        }
        let stops = is_down || environment.chance(environment.faults().kv.error_before_permille);
        if stops {
            caller.harm(environment, Harm::KvFailed);
        }
        stops
    }

    pub(super) async fn get(self: Rc<Self>, caller: Caller, key: String) -> Outcome<Option<String>> {
        let environment = &self.environment;
        let journey = Journey::begin(environment, environment.draw_ms(environment.faults().kv.get)).await;
        let outcome = if self.stops(&caller) { unknown("get") } else { Ok(self.read(&caller, &key)) };
        journey.end().await;
        outcome
    }

    /// What the caller's location knows of a key.
    fn read(&self, caller: &Caller, key: &str) -> Told<Option<String>> {
        let environment = &self.environment;
        let (found, is_kept) = self.find(caller.colo, key);
        let store = self.store.borrow();
        let puts = store.puts(key);
        let text = |put: &KvPut| put.text.clone();
        let (given, newest) = (puts[..found.puts].last().map(text), puts.last().map(text));
        let is_stale = given != newest;
        if is_stale {
            environment.mark(marks::KV_GAVE_STALE);
        }
        if is_stale && is_kept && given.is_none() {
            environment.mark(marks::KV_ABSENCE_KEPT);
        }
        environment.trace.watch().look("key of KV", key);
        let (bytes, old_ms) = (given.as_ref().map(String::len), environment.now_ms() - found.as_of_ms);
        let what = What::KvRead { key, colo: caller.colo, bytes, old_ms };
        environment.note(Lane::Kv, what, caller.request());
        // A key that is absent costs as much.
        environment.meter(caller.cause, Meter::KvReads, 1);
        Told { what: given, is_stale }
    }

    /// What a location knows of a key, and whether it has kept that. What it has not kept it finds as the store had it
    /// some time ago, and keeps from then on.
    fn find(&self, colo: usize, key: &str) -> (Found, bool) {
        let environment = &self.environment;
        let (faults, now_ms) = (environment.faults().kv, environment.now_ms());
        let mut locations = self.locations.borrow_mut();
        if let Some(found) = locations.kept(colo, key, now_ms) {
            return (found, true);
        }
        let as_of_ms = self.draw_as_of_ms();
        let puts = self.store.borrow().count(key, as_of_ms);
        let found = Found { puts, as_of_ms };
        let until_ms = (now_ms + environment.draw_ms(faults.kept)).min(as_of_ms + KV_SETTLES_MS);
        if until_ms > now_ms {
            locations.keep(colo, key, found, until_ms);
        }
        (found, false)
    }

    /// Of when that is what is found now.
    fn draw_as_of_ms(&self) -> u64 {
        let lag_ms = self.environment.draw_ms(self.environment.faults().kv.lag);
        self.environment.now_ms() - lag_ms.min(KV_SETTLES_MS)
    }

    pub(super) async fn put(self: Rc<Self>, caller: Caller, put: Put) -> Outcome<()> {
        let environment = &self.environment;
        let sent_ms = environment.now_ms();
        let takes_ms = environment.draw_ms(environment.faults().kv.put);
        let journey = Journey::begin(environment, takes_ms.min(KV_SETTLES_MS)).await;
        let course = self.course(&caller, &put);
        match course {
            Course::Applied => self.apply(&caller, &put, sent_ms, course),
            Course::FailedThoughApplied => {
                self.apply(&caller, &put, sent_ms, course);
                environment.mark(marks::KV_PUT_FAILED_THOUGH_STORED);
            }
            Course::Refused | Course::Failed | Course::FailedAndLate(_) => {}
        }
        journey.end().await;
        match course {
            Course::Applied => return Ok(Told { what: (), is_stale: false }),
            Course::Refused => return Err(KvError("put failed: 429 Too Many Requests".to_owned())),
            Course::Failed | Course::FailedThoughApplied => {}
            Course::FailedAndLate(late_ms) => {
                let left_ms = (sent_ms + KV_SETTLES_MS).saturating_sub(environment.now_ms());
                let kv = self.clone();
                environment.node.spawn(async move {
                    rt::sleep_ms(late_ms.min(left_ms)).await;
                    kv.apply(&caller, &put, sent_ms, course);
                    kv.environment.mark(marks::KV_PUT_LANDED_LATE);
                });
            }
        }
        unknown("put")
    }

    /// Draws what becomes of a put that arrives now, and harms whom a fault of KV touches. That a put comes too soon is
    /// no fault, unless the one before it seems to have failed: nobody would wait for that.
    fn course(&self, caller: &Caller, put: &Put) -> Course {
        let environment = &self.environment;
        let faults = environment.faults().kv;
        if self.stops(caller) {
            return Course::Failed;
        }
        if let Some(seems_failed) = self.comes_too_soon(&put.key) {
            environment.note(Lane::Kv, What::KvRefused { key: &put.key }, caller.request());
            environment.mark(marks::KV_PUT_REFUSED);
            if seems_failed {
                caller.harm(environment, Harm::KvFailed);
            }
            return Course::Refused;
        }
        let course = if environment.chance(faults.late_permille) {
            Course::FailedAndLate(environment.draw_ms(faults.late))
        } else if environment.chance(faults.error_after_permille) {
            Course::FailedThoughApplied
        } else {
            return Course::Applied;
        };
        caller.harm(environment, Harm::KvFailed);
        course
    }

    /// Whether a put of that key was applied just now, and if so, whether that one seems to have failed.
    fn comes_too_soon(&self, key: &str) -> Option<bool> {
        let store = self.store.borrow();
        let last = store.puts(key).last()?;
        let is_too_soon = self.environment.now_ms() < last.applied_ms + KV_PUT_INTERVAL_MS;
        is_too_soon.then_some(last.seems_failed)
    }

    fn apply(&self, caller: &Caller, put: &Put, sent_ms: u64, course: Course) {
        let environment = &self.environment;
        let Put { key, text, note } = put;
        let mut store = self.store.borrow_mut();
        if store.puts(key).last().is_some_and(|last| last.sent_ms > sent_ms) {
            environment.mark(marks::KV_PUT_OVERTAKEN);
        }
        environment.trace.watch().look("key of KV", key);
        environment.trace.watch().look("note of KV", note);
        let what = What::KvPut { key, bytes: text.len(), note, how: course.how() };
        environment.note(Lane::Kv, what, caller.request());
        environment.meter(caller.cause, Meter::KvWrites, 1);
        let (text, note) = (text.clone(), note.clone());
        let (applied_ms, seems_failed) = (environment.now_ms(), course != Course::Applied);
        store.apply(key, KvPut { text, note, sent_ms, applied_ms, seems_failed });
    }

    pub(super) async fn list(self: Rc<Self>, caller: Caller, from: Option<String>) -> Outcome<KvListing> {
        let environment = &self.environment;
        let journey = Journey::begin(environment, environment.draw_ms(environment.faults().kv.list)).await;
        let outcome = if self.stops(&caller) { unknown("list") } else { self.page(&caller, from.as_deref()) };
        journey.end().await;
        outcome
    }

    /// A page of a listing, of which no location keeps anything.
    fn page(&self, caller: &Caller, from: Option<&str>) -> Outcome<KvListing> {
        let environment = &self.environment;
        let limit = match environment.faults().kv.page_keys {
            0 => KV_LIST_LIMIT,
            keys => KV_LIST_LIMIT.min(keys as usize),
        };
        let (now_ms, as_of_ms) = (environment.now_ms(), self.draw_as_of_ms());
        let store = self.store.borrow();
        let page = |at_ms| store.list(from, limit, at_ms);
        let (Some(given), Some(newest)) = (page(as_of_ms), page(now_ms)) else {
            return Err(KvError("list failed: 400 Bad Request".to_owned()));
        };
        let is_stale = given != newest;
        if is_stale {
            environment.mark(marks::KV_GAVE_STALE);
        }
        let what = What::KvListed { keys: given.keys.len(), old_ms: now_ms - as_of_ms };
        environment.note(Lane::Kv, what, caller.request());
        environment.meter(caller.cause, Meter::KvLists, 1);
        Ok(Told { what: given, is_stale })
    }
}
