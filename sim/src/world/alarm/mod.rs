//! The alarm service.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `service` | what it knows of one object's alarm, and how it goes off |
//! | `faults` | what goes wrong |

mod faults;
pub(super) mod service;

pub use faults::AlarmFaults;
