//! What can be seen of a world from outside: what objects have stored, what it has cost, and what has happened.

use crate::bill::{self, Usage};
use crate::kernel::marks::Marks;
use crate::kernel::trace::Trace;
use crate::kernel::watch::Watch;
use crate::world::activity::Spell;
use crate::world::charges::Charges;
use crate::world::edge::times::Times;
use crate::world::harm::Harms;
use crate::world::memory::Footprint;
use crate::world::object_id::object_id;
use crate::world::platform::WorldOf;
use crate::world::program::Program;
use crate::world::services::Services;

/// What an object has stored, and the rows that it is billed for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredSummary {
    /// Each table with its number of rows, in the order of the names.
    pub tables: Vec<(String, u64)>,
    /// When the alarm goes off, in ms since the Unix epoch.
    pub alarm_ms: Option<u64>,
    /// Rows written by the object so far, as the platform bills them, without alarms.
    pub rows_written: u64,
}

impl StoredSummary {
    /// The number of rows of that table; 0 if there is none.
    pub fn rows(&self, table: &str) -> u64 {
        self.tables.iter().find(|(name, _)| name == table).map_or(0, |(_, rows)| *rows)
    }
}

impl<P: Program> WorldOf<P> {
    /// Virtual ms since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        self.inner.environment.now_ms()
    }

    /// What an object has stored, and the rows that it is billed for; nothing for one that nobody ever asked for.
    pub fn stored(&self, object: &str) -> StoredSummary {
        let Some(object) = self.inner.namespace.find(object) else { return StoredSummary::default() };
        let database = object.journal().database();
        StoredSummary {
            tables: database.tables(),
            alarm_ms: object.journal().alarm().at_ms,
            rows_written: database.rows_written(),
        }
    }

    /// The spells in which an object had something to do.
    pub fn spells(&self, object: &str) -> Vec<Spell> {
        self.inner.namespace.find(object).map_or_else(Vec::new, |object| object.spells())
    }

    /// When requests have called objects, and when their answers have left the edge.
    pub fn times(&self) -> Times {
        self.inner.environment.times()
    }

    /// What nobody may write down, and where it was.
    pub fn watch(&self) -> Watch {
        self.inner.environment.trace.watch().clone()
    }

    /// The most bytes that an isolate had in memory, of each kind.
    pub fn footprint(&self) -> Footprint {
        self.inner.environment.footprint()
    }

    /// How many sockets an object holds open.
    pub fn sockets(&self, object: &str) -> usize {
        self.inner.namespace.find(object).map_or(0, |object| object.sockets())
    }

    /// The result of a statement of one text column over an object's storage as it is now, confirmed or not; empty if a
    /// table that it names is not there.
    pub fn texts(&self, object: &str, sql: &str) -> Vec<String> {
        self.inner.namespace.find(object).map_or_else(Vec::new, |object| object.journal().database().texts(sql))
    }

    /// The platform's identity of the object of a name.
    pub fn object_id(&self, object: &str) -> String {
        object_id(object)
    }

    /// How often an object was started.
    pub fn starts(&self, object: &str) -> u64 {
        self.inner.namespace.find(object).map_or(0, |object| object.starts())
    }

    /// Whether an object is in memory.
    pub fn is_running(&self, object: &str) -> bool {
        self.inner.namespace.find(object).is_some_and(|object| object.is_running())
    }

    /// The services that all objects share.
    pub fn services(&self) -> &Services {
        &self.inner.services
    }

    /// Every object's name, in order.
    pub fn objects(&self) -> Vec<String> {
        self.inner.namespace.all().iter().map(|object| object.name().to_owned()).collect()
    }

    /// What faults have done so far, and to whom.
    pub fn harms(&self) -> Harms {
        self.inner.environment.harms()
    }

    /// What requests and alarms have cost so far.
    pub fn charges(&self) -> Charges {
        self.inner.environment.charges()
    }

    /// What is billed so far, but for what is stored.
    pub fn usage(&self) -> Usage {
        let mut usage = self.inner.environment.usage();
        for spell in self.inner.namespace.all().iter().flat_map(|object| object.spells()) {
            usage.add(spell.cause, bill::Meter::ObjectMs, spell.end_ms - spell.begin_ms);
        }
        usage
    }

    /// The marks that were reached so far.
    pub fn marks(&self) -> Marks {
        self.inner.environment.marks()
    }

    /// The trace of what happened so far.
    pub fn trace(&self) -> Trace {
        self.inner.environment.trace.clone()
    }
}
