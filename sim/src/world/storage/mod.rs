//! What of an object's writes is durable, and what waits for it.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `journal` | which writes are durable |
//! | `gate` | what waits for them |

pub(crate) mod gate;
pub(crate) mod journal;
