//! What every simulation needs, whatever it simulates. It knows nothing of a platform.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`rt`] | the executor: tasks, virtual time, nodes that die together |
//! | [`random`] | seeded randomness, one stream for each purpose |
//! | [`trace`] | a record of what happened |
//! | [`marks`] | how often marks were reached |
//! | `reply` | one-shot answers |
//! | `watch` | texts that must be written down nowhere |
//! | `named` | enumerations whose variants have names |
//! | `jobs` | what is done on all processors |

pub(crate) mod jobs;
pub mod marks;
pub(crate) mod named;
pub mod random;
pub(crate) mod reply;
pub mod rt;
pub mod trace;
pub mod watch;
