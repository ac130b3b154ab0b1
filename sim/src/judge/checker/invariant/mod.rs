//! The invariants, one a file.
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

pub(super) mod answers;
pub(super) mod awake;
pub(super) mod calm;
pub(super) mod closed;
pub(super) mod cold;
pub(super) mod cursors;
pub(super) mod durable;
pub(super) mod exact;
pub(super) mod expiry;
pub(super) mod linear;
pub(super) mod live;
pub(super) mod once;
pub(super) mod stable;
