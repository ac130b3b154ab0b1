//! The table of the invariants, one line each: its name, and the file that checks it.
//!
//! From it follow [`Invariant`] and the function that checks one.

use std::fmt;

/// Hands the table to a macro.
macro_rules! invariants {
    ($make:ident) => {
        $make! {
            /// An acknowledged append is in every later strong read until deletion or expiry.
            Durable = durable;
            /// What is read between two offsets is exactly what the log holds there.
            Exact = exact;
            /// A producer's tuple is in the log at most once; a stale epoch and a refused batch write nothing.
            Once = once;
            /// Strong reads and appends of one stream are linearizable.
            Linear = linear;
            /// An emitted offset is unique and sortable, and reads the same bytes.
            Stable = stable;
            /// Nothing after the close, and every reader learns of it.
            Closed = closed;
            /// A stream ends no earlier and not much later than it should, and leaves nothing behind.
            Expiry = expiry;
            /// What a row names is in R2, what none names is not for long, and what is sealed gets there.
            Cold = cold;
            /// Every request is answered; refusals have a reason.
            Answers = answers;
            /// When nothing goes wrong any more, every live reader reaches the tail, and learns of the end, within a
            /// bound.
            Live = live;
            /// No reader sends more than a bounded number of requests a second.
            Calm = calm;
            /// An object is billed only while it has work.
            Awake = awake;
            /// What is in the memory of an isolate is bounded.
            Memory = memory;
            /// Cursors grow and converge.
            Cursors = cursors;
            /// Commit times grow with every append.
            Commits = commits;
            /// What a request and an alarm cost.
            Bill = bill;
            /// What caches may keep, and under which tag.
            Caching = caching;
            /// A strong read is never served from a cache, and a deleted stream is gone when its copies are too old.
            Fresh = fresh;
            /// An object is asked for one key no more often than the policy says.
            Collapse = collapse;
            /// No byte of another stream, and none of a stream that was deleted too long ago, comes from a cache.
            Leak = leak;
            /// Who has a grant is let in, and who has none is refused before anything is done.
            Access = access;
            /// No token and no key is written down.
            Secret = secret;
        }
    };
}

pub(super) use invariants;

macro_rules! names {
    ($($(#[doc = $doc:literal])* $variant:ident = $file:ident;)*) => {
        /// What must hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Invariant {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Invariant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($file),)* }
            }
        }
    };
}

invariants!(names);

impl fmt::Display for Invariant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
