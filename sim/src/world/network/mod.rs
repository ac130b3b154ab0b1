//! The network between clients, isolates and objects.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `travel` | messages on their way, and the calls that they make up |
//! | `faults` | what goes wrong |

mod faults;
pub(crate) mod travel;

pub use faults::{Link, NetworkFaults};
