//! Objects.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `namespace` | objects by name |
//! | `object` | what of an object lasts |
//! | `instance` | one life of it in memory |
//! | `turn` | what an event runs between two awaits: the unit of atomicity and of crashes |
//! | `class` | what a class of objects brings |
//! | `state` | what an instance is given |
//! | `faults` | what goes wrong |

mod class;
mod faults;
mod instance;
pub(super) mod namespace;
pub(super) mod object;
pub(super) mod state;
mod turn;

pub use class::ObjectClass;
pub use faults::ObjectFaults;
