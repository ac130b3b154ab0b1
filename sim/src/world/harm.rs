//! Proof of what faults have done: which request, or which object, each of them has touched. Only what is written down
//! here excuses an answer that is not right, and only in the way that the harm explains.

use std::collections::BTreeMap;
use std::rc::Rc;

/// What a fault does to a request, or to an object and so to all who ask it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Harm {
    /// A message between its client and the edge was lost.
    ClientMessageLost,
    /// It has waited in front of the edge for another's answer, for long and for nothing.
    WaitedInFront,
    /// The name of the origin did not resolve for what stands in front of it.
    OriginUnresolved,
    /// A message between its client and the edge took long.
    ClientMessageSlow,
    /// Its client gave it up.
    ClientLeft,
    /// The connection of its answer broke, or died.
    AnswerCut,
    /// The isolate that served it restarted.
    IsolateRestarted,
    /// The platform ended it without telling it.
    Vanished,
    /// Its own task lost the instance that served it.
    LostInstance,
    /// Another task lost the instance that served it.
    InstanceTaken,
    /// The inner entrypoint that its gateway asked gave no answer: its isolate restarted, or the platform ended it.
    InnerLost,
    /// Its call of an object, or the reply, was lost on its way.
    CallLost,
    /// Its call of an object, or the reply, took long.
    CallSlow,
    /// Its call of an object never comes to an end.
    CallStuck,
    /// The object was reset, while it worked on its call.
    ObjectReset,
    /// Another instance of the object took over, from the one that worked on its call, or that its call had reached.
    ObjectSuperseded,
    /// A socket on which it waited was cut.
    SocketCut,
    /// A socket on which it waited fell silent.
    SocketSilent,
    /// A limit said that its client does this too often.
    RateExceeded,
    /// The object had too much to do.
    Overloaded,
    /// The object's reply broke off after its head.
    ReplyBroken,
    /// It called an object of another release than its isolate.
    OtherRelease,
    /// It was answered by an instance whose reads may be stale.
    Stale,
    /// A call of the object's alarm failed, or was cut off.
    AlarmFailed,
    /// The platform gave the object's alarm up.
    AlarmAbandoned,
    /// A statement of the object failed.
    StatementFailed,
    /// A statement of the object failed because its database was said to be full.
    DatabaseFull,
    /// A statement of the object failed because its database would have become larger than it may be. Whoever knows how
    /// large that is should not have come so far.
    DatabaseOverrun,
    /// The object asked how large its database is. No harm by itself: it tells how full a database was that has a limit.
    DatabaseHas {
        /// In pages of 4 KiB.
        pages: u64,
    },
    /// A read of R2 by the object failed.
    GetFailed,
    /// A call of R2 by the object never comes to an end.
    BucketStuck,
    /// R2 gave the object damaged bytes.
    GetDamaged,
    /// The flight that it had joined was lost, or the request that flew it was harmed.
    FlightLost,
    /// A put of the object in R2 failed, or took long.
    PutFailed,
    /// A deletion of the object in R2 failed.
    DeletionFailed,
    /// A listing of R2 failed that the object had asked for, or held fewer objects than it might.
    ListingFailed,
    /// A call of KV failed that the request or the object has made, or was given up.
    KvFailed,
    /// KV gave the request or the object something that was not the newest any more.
    KvStale,
}

impl Harm {
    /// Whether nobody but the object's own upkeep can feel it, which its alarm does: it deletes from R2, and asks how
    /// much is stored.
    pub fn is_of_upkeep(self) -> bool {
        matches!(self, Self::AlarmFailed | Self::DeletionFailed | Self::ListingFailed | Self::DatabaseHas { .. })
    }
}

/// All that faults have done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Harms {
    /// To each client's request, by its number, in the order of time.
    pub to_requests: BTreeMap<u64, Vec<Harm>>,
    /// To objects, by their names, each at a time in ms since the Unix epoch, in the order of time.
    pub to_objects: Vec<(u64, Rc<str>, Harm)>,
}

impl Harms {
    /// One more is done to a request.
    pub(crate) fn add(&mut self, number: u64, harm: Harm) {
        self.to_requests.entry(number).or_default().push(harm);
    }

    /// One request has the answer of another one, and with it this one harm, if it was done to that one.
    pub(crate) fn share_only(&mut self, harm: Harm, from: u64, to: u64) {
        if self.to_requests.get(&from).is_some_and(|harms| harms.contains(&harm)) {
            self.add(to, harm);
        }
    }

    /// One request has the answer of another one, and with it what was done to that one so far.
    pub(crate) fn share(&mut self, from: u64, to: u64) {
        if let Some(harms) = self.to_requests.get(&from).cloned() {
            self.to_requests.entry(to).or_default().extend(harms);
        }
    }
}
