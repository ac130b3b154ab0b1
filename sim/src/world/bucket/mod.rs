//! R2: one bucket for all objects of a world.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `store` | the bucket's objects: every call sees all that was applied before it |
//! | `service` | calls over the network: latency, failures before and after the store, late arrival, outages |
//! | `handle` | the bucket as one instance of an object reaches it, through the output gate |
//! | `faults` | what goes wrong |

mod faults;
mod handle;
mod service;
mod store;

pub use faults::BucketFaults;
pub use handle::ObjectBucket;
pub use service::Bucket;
pub use store::StoredObject;
