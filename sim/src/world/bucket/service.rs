//! Calls of the bucket over the network. A call takes time and may fail; a change may be applied although it fails, at
//! once or minutes later. A call that has left arrives even if the caller is gone by then.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use tailrace_core::runtime::{Listing, PutCondition, PutOutcome, StoreError};

use super::store::{Store, StoredObject};
use crate::bill::{Cause, Meter};
use crate::kernel::reply::ReplySender;
use crate::kernel::rt;
use crate::world::environment::Environment;
use crate::world::event::{Lane, What};
use crate::world::harm::Harm;
use crate::world::marks;
use crate::world::network::journey::Journey;
use crate::world::storage::outlet::Outlet;

/// The bucket, and the calls under way to it.
pub struct Bucket {
    environment: Rc<Environment>,
    store: RefCell<Store>,
    /// Until when it is down, in ms since the Unix epoch.
    down_until_ms: Cell<u64>,
    /// The callers whose puts are under way.
    under_way: RefCell<Vec<Caller>>,
    unproven: RefCell<Vec<(Rc<str>, u64)>>,
}

/// An object's name, and one of its instances.
pub(super) type Caller = (Rc<str>, Weak<Outlet>);

/// A put.
pub(super) struct Put {
    pub(super) key: String,
    pub(super) body: Bytes,
    pub(super) condition: PutCondition,
    pub(super) by: Caller,
    /// What it is billed for.
    pub(super) cause: Cause,
}

/// What becomes of a change that fails, or that does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Applied,
    /// It never reached the store.
    Failed,
    /// It was applied, and its caller is told that it failed.
    FailedThoughApplied,
    /// Its caller is told that it failed, and it is applied this many ms later.
    FailedAndLate(u64),
    /// Its caller is never told anything; it is applied or not.
    Stuck {
        applied: bool,
    },
}

fn unknown<T>() -> Result<T, StoreError> {
    // The runtime does not tell more than that.
    Err(StoreError::Unknown("internal error".into()))
}

impl Bucket {
    pub(in crate::world) fn new(environment: Rc<Environment>) -> Self {
        Self {
            environment,
            store: RefCell::default(),
            down_until_ms: Cell::default(),
            under_way: RefCell::default(),
            unproven: RefCell::default(),
        }
    }

    /// Has every call fail for this many ms.
    pub fn go_down(&self, for_ms: u64) {
        self.environment.note(Lane::Bucket, What::Down { for_ms }, None);
        self.down_until_ms.set(self.environment.now_ms() + for_ms);
    }

    /// Ends an outage.
    pub(in crate::world) fn calm(&self) {
        self.down_until_ms.set(0);
    }

    /// Its objects, in the order of their keys.
    pub fn objects(&self) -> Vec<StoredObject> {
        self.store.borrow().objects()
    }

    /// An object deletes in a turn that has written nothing.
    pub(super) fn note_unproven(&self, object: &Rc<str>) {
        self.unproven.borrow_mut().push((object.clone(), self.environment.now_ms()));
    }

    /// Which objects have asked for deletions in a turn that has written nothing, each with the virtual ms: a confirmed
    /// write alone proves that an instance still owns the storage.
    pub fn unproven(&self) -> Vec<(Rc<str>, u64)> {
        self.unproven.borrow().clone()
    }

    /// What it holds under a key, seen from outside: no call, and not billed.
    pub fn content(&self, key: &str) -> Option<Bytes> {
        self.store.borrow().content(key)
    }

    /// Draws whether a call that arrives now fails before the store sees it; during an outage each does.
    fn stops(&self) -> bool {
        let environment = &self.environment;
        if environment.now_ms() < self.down_until_ms.get() {
            environment.mark(marks::BUCKET_WAS_DOWN);
            return true;
        }
        environment.chance(environment.faults().bucket.error_before_permille)
    }

    /// Draws whether a call of the object never comes to an end.
    fn sticks(&self, object: &Rc<str>) -> bool {
        let environment = &self.environment;
        let sticks = environment.chance(environment.faults().bucket.stuck_permille);
        if sticks {
            environment.mark(marks::BUCKET_CALL_STUCK);
            environment.harm_object(Harm::BucketStuck, object);
        }
        sticks
    }

    fn course(&self, object: &Rc<str>) -> Course {
        let environment = &self.environment;
        let faults = environment.faults().bucket;
        if self.sticks(object) {
            Course::Stuck { applied: environment.random.between(0, 1) == 0 }
        } else if self.stops() {
            Course::Failed
        } else if environment.chance(faults.late_permille) {
            Course::FailedAndLate(environment.draw_ms(faults.late))
        } else if environment.chance(faults.error_after_permille) {
            Course::FailedThoughApplied
        } else {
            Course::Applied
        }
    }

    pub(super) async fn put(self: Rc<Self>, put: Put, sender: ReplySender<PutResult>) {
        let environment = &self.environment;
        let Put { key, body, condition, by, cause } = put;
        self.note_under_way(&by);
        let journey = Journey::begin(environment, environment.draw_ms(environment.faults().bucket.put)).await;
        let course = self.course(&by.0);
        let apply = |how: &str| {
            environment.note(Lane::Bucket, What::Put { key: &key, bytes: body.len(), how }, None);
            environment.meter(cause, Meter::R2ClassA, 1);
            self.store.borrow_mut().put(&key, body.clone(), condition, environment.now_ms())
        };
        let result = match course {
            Course::Stuck { applied } => {
                if applied {
                    apply("and its caller is never told");
                }
                self.forget_under_way(&by);
                return sender.vanish();
            }
            Course::Failed | Course::FailedAndLate(_) => unknown(),
            Course::Applied => Ok(apply("as asked")),
            Course::FailedThoughApplied => {
                apply("and its caller is told that it failed");
                environment.mark(marks::PUT_FAILED_THOUGH_STORED);
                unknown()
            }
        };
        if course != Course::Applied {
            environment.harm_object(Harm::PutFailed, &by.0);
        }
        if course != Course::Failed && sender.is_abandoned() {
            environment.mark(marks::PUT_OUTLIVED_ITS_CALLER);
        }
        journey.end().await;
        self.forget_under_way(&by);
        sender.send(result);
        if let Course::FailedAndLate(late_ms) = course {
            rt::sleep_ms(late_ms).await;
            apply("late");
            environment.mark(marks::PUT_LANDED_LATE);
        }
    }

    pub(super) async fn delete(
        self: Rc<Self>,
        keys: Vec<String>,
        (object, cause): (Rc<str>, Cause),
        sender: ReplySender<DeleteResult>,
    ) {
        let environment = &self.environment;
        let journey = Journey::begin(environment, environment.draw_ms(environment.faults().bucket.delete)).await;
        let course = self.course(&object);
        let apply = |keys: &[String]| {
            for key in keys {
                environment.note(Lane::Bucket, What::Deleted { key }, None);
                environment.meter(cause, Meter::R2Deletions, 1);
                self.store.borrow_mut().delete(key);
            }
        };
        let result = match course {
            Course::Stuck { applied } => {
                if applied {
                    apply(&keys);
                }
                return sender.vanish();
            }
            Course::Failed | Course::FailedAndLate(_) => unknown(),
            Course::Applied => {
                apply(&keys);
                Ok(())
            }
            Course::FailedThoughApplied => {
                // A deletion of many keys that fails may have deleted some of them.
                let some = environment.random.between(1, keys.len() as u64) as usize;
                apply(&keys[..some.min(keys.len())]);
                environment.mark(marks::DELETION_FAILED_THOUGH_DONE);
                unknown()
            }
        };
        if course != Course::Applied {
            environment.harm_object(Harm::DeletionFailed, &object);
        }
        journey.end().await;
        sender.send(result);
        if let Course::FailedAndLate(late_ms) = course {
            rt::sleep_ms(late_ms).await;
            apply(&keys);
        }
    }

    pub(super) async fn get(&self, key: &str, range: Range<u64>, (object, cause): (&Rc<str>, Cause)) -> GetResult {
        let environment = &self.environment;
        let journey = Journey::begin(environment, environment.draw_ms(environment.faults().bucket.get)).await;
        if self.sticks(object) {
            std::future::pending::<()>().await;
        }
        let result = if self.stops() {
            unknown()
        } else {
            environment.note(Lane::Bucket, What::Get { key, range: range.clone() }, None);
            environment.meter(cause, Meter::R2ClassB, 1);
            Ok(self.store.borrow().get(key, range))
        };
        journey.end().await;
        if result.is_err() {
            environment.harm_object(Harm::GetFailed, object);
        }
        result.map(|found| found.map(|bytes| self.delivered(bytes, object)))
    }

    /// The bytes as they arrive: now and then one of their bits differs.
    fn delivered(&self, bytes: Bytes, object: &Rc<str>) -> Bytes {
        let environment = &self.environment;
        if bytes.is_empty() || !environment.chance(environment.faults().bucket.damaged_permille) {
            return bytes;
        }
        environment.mark(marks::BYTES_DAMAGED);
        environment.harm_object(Harm::GetDamaged, object);
        let mut damaged = bytes.to_vec();
        let place = environment.random.between(0, bytes.len() as u64 - 1) as usize;
        damaged[place] ^= 1 << environment.random.between(0, 7);
        damaged.into()
    }

    pub(super) async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        (object, cause): (&Rc<str>, Cause),
    ) -> ListResult {
        let environment = &self.environment;
        let faults = environment.faults().bucket;
        let journey = Journey::begin(environment, environment.draw_ms(faults.list)).await;
        if self.sticks(object) {
            std::future::pending::<()>().await;
        }
        let result = if self.stops() {
            environment.harm_object(Harm::ListingFailed, object);
            unknown()
        } else {
            environment.meter(cause, Meter::R2ClassA, 1);
            let is_short = limit > 0 && environment.chance(faults.short_page_permille);
            let limit = if is_short { environment.random.between(0, limit as u64 - 1) as usize } else { limit };
            let listing = self.store.borrow().list(prefix, after, limit);
            let what = What::Listed { prefix, objects: listing.objects.len() };
            environment.note(Lane::Bucket, what, None);
            if is_short && listing.more {
                environment.mark(marks::LISTING_CAME_SHORT);
                environment.harm_object(Harm::ListingFailed, object);
            }
            Ok(listing)
        };
        journey.end().await;
        result
    }

    /// Counts a mark if two instances of the same object are putting at once.
    fn note_under_way(&self, by: &Caller) {
        let mut under_way = self.under_way.borrow_mut();
        if under_way.iter().any(|(object, instance)| *object == by.0 && !instance.ptr_eq(&by.1)) {
            self.environment.mark(marks::TWO_INSTANCES_PUT_AT_ONCE);
        }
        under_way.push(by.clone());
    }

    fn forget_under_way(&self, by: &Caller) {
        let mut under_way = self.under_way.borrow_mut();
        if let Some(place) = under_way.iter().position(|(_, instance)| instance.ptr_eq(&by.1)) {
            under_way.swap_remove(place);
        }
    }
}

pub(super) type PutResult = Result<PutOutcome, StoreError>;
pub(super) type DeleteResult = Result<(), StoreError>;
pub(super) type GetResult = Result<Option<Bytes>, StoreError>;
pub(super) type ListResult = Result<Listing, StoreError>;
