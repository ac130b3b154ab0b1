//! Messages: who writes them, which an answer has, and which its reader is to get next.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `message` | messages by their numbers |
//! | `writers` | those who write, each after its answer |
//! | `expected` | which messages a reader is to get next |

mod expected;
mod message;
mod writers;

pub(super) use expected::Expected;
pub(super) use message::{Messages, append};
pub(super) use writers::{WAY, Writers};
