//! The network between clients, isolates and objects.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `callee` | where requests to objects arrive |
//! | `travel` | messages on their way, and the calls that they make up |
//! | `faults` | what goes wrong |

pub(super) mod callee;
mod faults;
pub(super) mod travel;

pub use faults::{Link, NetworkFaults};
