//! The network between clients, isolates and objects.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `callee` | where requests to objects arrive |
//! | `travel` | messages on their way, and the calls that they make up |
//! | `journey` | the time of a call of a service |
//! | `line` | the way to objects for those who are no isolate, and the far ends of sockets |
//! | `faults` | what goes wrong |

pub(super) mod callee;
mod faults;
pub(super) mod journey;
mod line;
pub(super) mod travel;

pub use faults::{Link, NetworkFaults};
pub use line::{Line, LineAnswer, LineSocket};
