//! KV: one namespace for a whole world. What was put is seen at each location by and by.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `store` | the puts of each key, in the order in which they were applied |
//! | `location` | what each location has found, and keeps for a while |
//! | `service` | calls over the network: latency, failures before and after the store, late arrival, outages |
//! | `caller` | who calls: a request at the edge, or an object |
//! | `edge` | KV as one request at the edge reaches it |
//! | `object` | KV as one instance of an object reaches it, through the output gate |
//! | `faults` | what goes wrong |

mod caller;
mod edge;
mod faults;
mod location;
mod object;
mod service;
mod store;

pub use edge::EdgeKv;
pub use faults::KvFaults;
pub use object::ObjectKv;
pub use service::Kv;
pub use store::KvPut;
