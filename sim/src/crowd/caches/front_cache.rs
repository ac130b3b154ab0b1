//! The cache in front of the Worker, and what it keeps for a crowd.

use crate::crowd::answer::Answer;
use crate::crowd::setting::{InFront, Setting};
use crate::front::{self, WorkersCache, Zone};

/// What a cache in front keeps for a crowd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::crowd) enum Handle {
    /// A whole answer.
    Whole(Answer),
    /// Events that are being written, by the place of their request at the edge and its turn.
    Events { place: u32, turn: u32 },
}

impl front::Answer for Handle {
    fn freshened(self, not_modified: Self) -> Self {
        match (self, not_modified) {
            (Self::Whole(answer), Self::Whole(later)) => Self::Whole(answer.given(later.given_us())),
            (kept, _) => kept,
        }
    }
}

/// A cache in front. Its keys are the numbers of URLs.
pub(in crate::crowd) struct Front {
    pub(in crate::crowd) cache: Box<dyn front::Front<u32, Handle>>,
    /// How many answers it was brought.
    pub(in crate::crowd) brought: u64,
}

impl Front {
    /// What stands in front in that setting; `None` if nothing does.
    pub(in crate::crowd) fn of(setting: &Setting) -> Option<Self> {
        let cache: Box<dyn front::Front<u32, Handle>> = match setting.front {
            InFront::Nothing => return None,
            InFront::Zone => Box::new(Zone::new(setting.knobs.zone, setting.front_bug)),
            InFront::WorkersCache | InFront::Between => {
                Box::new(WorkersCache::new(setting.knobs.workers_cache, setting.front_bug))
            }
        };
        Some(Self { cache, brought: 0 })
    }
}
