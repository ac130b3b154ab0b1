//! The invariants, one a file and one line in the table `invariants`.
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
//! | `memory` | what is in the memory of an isolate is bounded |
//! | `cursors` | readers at one position come to ask for the same URL, and for none twice in vain |
//! | `commits` | commit times grow with every append, whatever the clocks say |
//! | `bill` | requests and alarms stay within their budget of rows and calls |
//! | `caching` | caches are told what they may keep, and one tag stands for one answer |
//! | `fresh` | strong reads come from no cache, and copies are used no longer than they may be |
//! | `collapse` | an object is asked for one key no more often than the policy says |
//! | `leak` | a cache hands out what was stored for the same question, and nothing that is nobody's business |
//! | `access` | who has a grant is let in, and who has none is refused before anything is done |
//! | `secret` | no token and no key is written down |
//! | `expiry` | not before the last touch and the TTL, not much later, and nothing stays behind |
//! | `cold` | R2 holds what the rows of a stream name, in time, and nothing else in the end |
//! | `answers` | requests are answered, and refused only for a reason |
//!
//! `table` is the table, and the names that it gives them.

mod access;
mod answers;
mod awake;
mod bill;
mod caching;
mod calm;
mod closed;
mod cold;
mod collapse;
mod commits;
mod cursors;
mod durable;
mod exact;
mod expiry;
mod fresh;
mod leak;
mod linear;
mod live;
mod memory;
mod once;
mod secret;
mod stable;
mod table;

pub(super) use collapse::raced;
pub(super) use fresh::is_of_gone_stream;
pub(super) use leak::{is_ended_by_token, is_granted_by_url, is_told};
pub use table::Invariant;

use super::case::Case;
use super::violation::Violation;

macro_rules! check {
    ($($(#[doc = $doc:literal])* $variant:ident = $file:ident;)*) => {
        /// Where an invariant does not hold.
        pub(super) fn check(invariant: Invariant, case: &Case<'_>) -> Vec<Violation> {
            match invariant { $(Invariant::$variant => $file::check(case),)* }
        }
    };
}

table::invariants!(check);
