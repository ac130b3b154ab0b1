//! What everything in a world shares: its faults, its randomness, its clock, its trace and its marks.

use std::cell::{Cell, RefCell};
use std::fmt;

use tailrace_core::runtime::Mark;

use crate::kernel::marks::Marks;
use crate::kernel::random::{Delay, Random, Seeds};
use crate::kernel::rt::Node;
use crate::kernel::trace::Trace;
use crate::world::clock;
use crate::world::faults::Faults;
use crate::world::host_mutant::HostMutant;
use crate::world::marks;

/// The loss of an instance at the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostInstance {
    /// When, in ms since the Unix epoch.
    pub at_ms: u64,
    /// The URL of the request whose task lost it.
    pub url: String,
}

/// What everything in a world shares.
pub(crate) struct Environment {
    faults: Cell<Faults>,
    /// The randomness that decides when and where faults happen.
    pub(crate) random: Random,
    /// The randomness that core is given.
    pub(crate) core_random: Random,
    marks: RefCell<Marks>,
    /// What happened.
    pub(crate) trace: Trace,
    instances_lost: RefCell<Vec<LostInstance>>,
    mutant: Option<HostMutant>,
    /// Runs the tasks of neither isolates nor objects: of networks, and of the platform's own services.
    pub(crate) node: Node,
}

impl Environment {
    pub(crate) fn new(faults: Faults, seeds: Seeds, mutant: Option<HostMutant>) -> Self {
        Self {
            faults: Cell::new(faults),
            random: Random::new(seeds.faults),
            core_random: Random::new(seeds.core),
            marks: RefCell::default(),
            trace: Trace::default(),
            instances_lost: RefCell::default(),
            mutant,
            node: Node::new(),
        }
    }

    pub(crate) fn faults(&self) -> Faults {
        self.faults.get()
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        self.faults.set(faults);
    }

    pub(crate) fn now_ms(&self) -> u64 {
        clock::now_ms()
    }

    pub(crate) fn chance(&self, permille: u32) -> bool {
        self.random.chance(permille)
    }

    pub(crate) fn draw_ms(&self, delay: Delay) -> u64 {
        self.random.delay_ms(delay)
    }

    pub(crate) fn mark(&self, mark: Mark) {
        self.marks.borrow_mut().hit(mark.name);
    }

    pub(crate) fn marks(&self) -> Marks {
        self.marks.borrow().clone()
    }

    /// An instance at the edge is lost, by the request of this URL.
    pub(crate) fn lose_instance(&self, url: &str) {
        self.mark(marks::INSTANCE_LOST);
        self.note(format_args!("the instance of an isolate is lost"));
        self.instances_lost.borrow_mut().push(LostInstance { at_ms: self.now_ms(), url: url.to_owned() });
    }

    pub(crate) fn instances_lost(&self) -> Vec<LostInstance> {
        self.instances_lost.borrow().clone()
    }

    pub(crate) fn note(&self, what: fmt::Arguments<'_>) {
        self.trace.line(what);
    }

    pub(crate) fn is_mutated(&self, mutant: HostMutant) -> bool {
        self.mutant == Some(mutant)
    }
}
