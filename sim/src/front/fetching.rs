//! What a node notes about a fetch that is under way, and about those who wait.

use super::arrival::{How, Served, Tier};
use super::asking::Fields;
use super::head::Head;
use super::store::Entry;

/// Where something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At that node of the lower tier.
    Lower(usize),
    /// At the upper tier.
    Upper,
}

/// Who asks a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Party {
    /// A visitor of that number.
    Visitor(u64),
    /// A node of the lower tier, by its own fetch of that number.
    Fetch(u64),
}

/// What is asked of a node.
#[derive(Clone, Debug)]
pub(super) struct Wants<K> {
    pub(super) key: K,
    pub(super) has_authorization: bool,
    pub(super) no_cache: bool,
    /// Whether it waits for nobody, since it has waited already.
    pub(super) is_alone: bool,
    pub(super) fields: Option<Fields>,
}

/// A party that waits for another's fetch.
#[derive(Clone, Debug)]
pub(super) struct Waiting<K> {
    pub(super) place: Place,
    pub(super) wants: Wants<K>,
}

/// A fetch that is under way.
#[derive(Clone, Debug)]
pub(super) struct Fetching<K, A> {
    pub(super) place: Place,
    pub(super) wants: Wants<K>,
    /// For whom; `None` if for nobody, or if it has its answer already.
    pub(super) party: Option<Party>,
    pub(super) asked_us: u64,
    /// What is kept, and asked for by its tag.
    pub(super) known: Option<Entry<A>>,
    pub(super) passes: bool,
    /// The answer that is still coming, where nobody else may have it before it is whole.
    pub(super) pending: Option<Came<A>>,
}

/// An answer that has come to a node.
#[derive(Clone, Debug)]
pub(super) struct Came<A> {
    pub(super) head: Head,
    pub(super) answer: A,
    pub(super) by: u64,
    /// When its head came, in us.
    pub(super) came_us: u64,
    /// The fetch from the origin that still brings its body.
    pub(super) coming: Option<u64>,
    /// How a tier had it; `None` if it is straight from the origin.
    pub(super) via: Option<(How, Tier)>,
}

impl Place {
    pub(super) fn tier(self) -> Tier {
        match self {
            Self::Lower(_) => Tier::Lower,
            Self::Upper => Tier::Upper,
        }
    }
}

impl<A> Came<A> {
    /// What a visitor is served.
    pub(super) fn served(self, how: How, tier: Tier) -> Served<A> {
        let (how, tier) = self.via.unwrap_or((how, tier));
        Served { answer: self.answer, age_s: self.head.age_s, by: self.by, how, tier }
    }
}
