//! What stands between clients and the isolates of a datacenter: nothing, a zone's CDN, or Workers Cache; or between
//! gateways and the inner entrypoint: nothing, or Workers Cache. The machines are of the wing [`crate::front`]; here requests
//! are brought to them, and their fetches to the isolates.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `asked` | a request, as a cache in front sees it, and as it goes on to the isolate |
//! | `answer` | answers as they are kept, and as visitors are served them |
//! | `body` | a body that still comes, and is read by several visitors |
//! | `service` | the cache in front of a world: who is served, who waits, who fetches |
//! | `visit` | what came of each request, for those who judge |
//! | `faults` | which cache it is, what it is like, and what goes wrong with it |

mod answer;
pub(super) mod asked;
mod body;
mod faults;
pub(super) mod service;
mod visit;

pub use answer::cache_head;
pub use faults::FrontFaults;
pub use service::Fronts;
pub use visit::{FetchedFor, FrontFetch, FrontVisit, FrontVisited, UPPER_TIER};
