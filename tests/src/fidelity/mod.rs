//! One script of requests, asked of the simulator and of the real runtime, whose answers must agree.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `script` | the text of the script, as steps |
//! | `lifetime` | what an append costs over its whole life |
//! | `bucket_calls` | calls of R2, as they are billed |
//! | `rows_read` | how many rows a request may read |
//! | `answer` | an answer, without what may differ |
//! | `simulated` | asking the simulator |
//! | `real` | asking a running Worker |

mod answer;
mod bucket_calls;
mod lifetime;
#[cfg(feature = "workerd")]
mod real;
mod rows_read;
mod script;
mod simulated;

use tailrace_core::protocol::Waits;

pub use answer::{Answer, check_expectation};
pub use bucket_calls::BucketCalls;
pub use lifetime::{check_lifetime, lifetime};
#[cfg(feature = "workerd")]
pub use real::run_real;
pub use rows_read::{check_equal_reads, check_rows_read, describe_rows_read};
pub use script::{Ask, Payload, Step, Variables, script};
pub use simulated::{run_billed, run_simulated};

/// The pause before a request is sent again whose answer is not yet what the script says, in ms.
const PAUSE_MS: u64 = 50;

/// How many rows seal a segment, in the simulator and on the Worker, where `cargo xtask test fidelity` sets it: few, so
/// that a script fills some.
const SEGMENT_ROWS: u64 = 1_000;

/// How long live reads wait, in the simulator and on the Worker, where `cargo xtask test fidelity` sets it.
const WAITS: Waits = Waits { long_poll_ms: 1_000, sse_ms: 2_000 };
