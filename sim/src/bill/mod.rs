//! From counted events to dollars.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `meter` | what is counted, with its units |
//! | `cause` | the kinds of events that cause it |
//! | `usage` | how much of each was used, by cause |
//! | `price` | what the platform asks for it: included amounts, prices and rounding, with their sources |
//! | `cpu` | the CPU time of the edge, measured |
//! | `turn` | how long objects are active, assumed |
//! | `unsimulated` | both beside what is simulated |
//! | `invoice` | the bill of a month |
//! | `month` | the same as a table |
//! | `estimate` | from slices of simulated time to a month, with how sure that is |

mod cause;
mod cpu;
mod estimate;
mod invoice;
mod meter;
mod month;
mod price;
mod turn;
mod unsimulated;
mod usage;

pub use cause::Cause;
pub use estimate::{Class, Estimate, Slice};
pub use invoice::{Invoice, Line};
pub use meter::Meter;
pub use month::{MONTH_S, dollars, month};
pub use price::{PLAN, Price, Rounding};
pub use unsimulated::{with_tokens, with_unsimulated};
pub use usage::Usage;
