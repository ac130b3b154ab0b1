//! One script of requests, asked of the simulator and of the real runtime, whose answers must agree.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `script` | the text of the script, as steps |
//! | `lifetime` | what an append costs over its whole life |
//! | `answer` | an answer, less what may differ |
//! | `simulated` | asking the simulator |
//! | `real` | asking a running Worker |

mod answer;
mod lifetime;
#[cfg(feature = "workerd")]
mod real;
mod script;
mod simulated;

pub use answer::{Answer, check_expectation};
pub use lifetime::{check_lifetime, lifetime};
#[cfg(feature = "workerd")]
pub use real::run_real;
pub use script::{Ask, Payload, Step, Variables, script};
pub use simulated::run_simulated;
