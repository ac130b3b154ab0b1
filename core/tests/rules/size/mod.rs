//! Long logs and small messages.
//!
//! | module | rule |
//! | --- | --- |
//! | `cost` | a long log costs no more than a short one |
//! | `small_messages` | the largest segments, of the smallest messages |

mod cost;
mod small_messages;
