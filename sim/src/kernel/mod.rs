//! What every simulation needs, whatever it simulates: knows nothing of a platform.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`rt`] | the executor: tasks, virtual time, nodes that die together |
//! | [`random`] | seeded randomness, one stream for each purpose |
//! | [`trace`] | what happened |
//! | [`marks`] | what was reached, and how often |
//! | `reply` | one-shot answers |

pub mod marks;
pub mod random;
pub(crate) mod reply;
pub mod rt;
pub mod trace;
