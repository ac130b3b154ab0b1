//! The cache of a datacenter, as Workers use it by `caches.default` (Cloudflare, Cache API).
//!
//! | file | what it holds |
//! | --- | --- |
//! | `store` | one cache: what it has, what of that can be seen, and until when |
//! | `admission` | what the platform stores at all, and for how long |
//! | `service` | the caches of all datacenters, and the way there: it takes time, and fails |
//! | `visit` | what came of each look and each put, for those who judge |
//! | `faults` | what goes wrong |

mod admission;
mod faults;
pub(super) mod service;
mod store;
mod visit;

pub use admission::Refused;
pub use faults::CacheFaults;
pub use service::Caches;
pub use store::{Entry, Found, Store};
pub use visit::{Visit, Visited};
