//! Cache policies compared: the same followers of the same stream, under each of them.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `workload` | how many followers there are, and where |
//! | `followers` | the followers of a stream by long-polls, and its writer |
//! | `figures` | what came of it |

mod figures;
mod followers;
mod workload;

pub use figures::Figures;
pub use followers::follow;
pub use workload::Workload;
