//! Objects.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `namespace` | objects by name |
//! | `object` | what of an object outlives its instances |
//! | `instance` | one life of an object in memory |
//! | `turn` | what an event runs between two awaits: the unit of atomicity and of crashes |
//! | `class` | what a class of objects defines |
//! | `state` | what the platform gives to an instance |
//! | `faults` | what goes wrong |

mod class;
mod faults;
mod instance;
pub(super) mod namespace;
pub(super) mod object;
pub(super) mod state;
mod turn;
mod under_way;

pub use class::ObjectClass;
pub use faults::ObjectFaults;
