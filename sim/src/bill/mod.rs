//! From counted events to dollars.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `meter` | what is counted, with its units |
//! | `cause` | the kinds of events that cause it |
//! | `usage` | how much of each was used, by cause |
//! | `price` | what the platform asks for it: included amounts, prices and rounding, with their sources |
//! | `invoice` | the bill of a month |
//! | `estimate` | from slices of simulated time to a month, with how sure that is |

mod cause;
mod estimate;
mod invoice;
mod meter;
mod price;
mod usage;

pub use cause::Cause;
pub use estimate::{Class, Estimate, Slice};
pub use invoice::{Invoice, Line};
pub use meter::Meter;
pub use price::{PLAN, Price, Rounding};
pub use usage::Usage;
