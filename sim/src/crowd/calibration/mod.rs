//! Calibration: what was measured in production beside what the simulator has for it.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `table` | what was measured, row by row, and the setting of each |
//! | `parameters` | parameters by their names, as files set them |
//! | `trials` | rows, each run with many seeds |
//! | `report` | measured beside simulated; and what moves when a guess is halved or doubled |

mod parameters;
mod report;
mod table;
mod trials;

pub use parameters::{OUTCOMES, PARAMETERS, Parameter, Told, of_file, read};
pub use report::{Report, report, sensitivity};
pub use table::{ROWS, Row, Use};
pub use trials::{Effort, Outcome, trials};
