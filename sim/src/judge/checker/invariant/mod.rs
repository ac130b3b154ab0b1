//! The invariants, one a file and one line in the table of [`Invariant`].
//!
//! | file | what must hold |
//! | --- | --- |
//! | `durable` | what was acknowledged is read until it is deleted or expires |
//! | `exact` | a page is exactly what the log holds between its offsets |
//! | `once` | a producer's tuple is in the log at most once; what was refused left no trace |
//! | `linear` | appends and strong reads happen in one order that real time agrees with |
//! | `stable` | an offset reads the same bytes as long as its incarnation lives, and means nothing to the next |
//! | `closed` | nothing follows a close, and everyone learns of it |
//! | `live` | when nothing goes wrong, whoever waits is told of what is written and of the end |
//! | `calm` | no reader asks often |
//! | `awake` | an object is billed only while it has work |
//! | `cursors` | readers at one position come to ask for the same URL, and for none twice in vain |
//! | `expiry` | not before the last touch and the TTL, not much later, and nothing stays behind |
//! | `cold` | R2 holds what the rows of a stream name, in time, and nothing else in the end |
//! | `answers` | requests are answered, and refused only for a reason |

mod answers;
mod awake;
mod calm;
mod closed;
mod cold;
mod cursors;
mod durable;
mod exact;
mod expiry;
mod linear;
mod live;
mod once;
mod stable;

use std::fmt;

use super::Violation;
use super::case::Case;

macro_rules! invariants {
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

            /// Where it does not hold.
            pub(super) fn check(self, case: &Case<'_>) -> Vec<Violation> {
                match self { $(Self::$variant => $file::check(case),)* }
            }
        }
    };
}

invariants! {
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
    /// When nothing goes wrong any more, every live reader reaches the tail, and learns of the end, within a bound.
    Live = live;
    /// No reader sends more than a bounded number of requests a second.
    Calm = calm;
    /// An object is billed only while it has work.
    Awake = awake;
    /// Cursors grow and converge.
    Cursors = cursors;
}

impl fmt::Display for Invariant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
