//! The asynchronous runtime that a host gives to core: small request and reply types, and traits with native
//! `async fn` whose futures are `!Send`. There are two environments, because the platform has two: an edge isolate has
//! no SQL, an object has SQL, a bucket and one alarm.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `http` | method, headers, request and response of clients |
//! | `call` | the request that reaches an object, and how a call to one fails |
//! | `isolate` | what every isolate has: clock, randomness, timers, coverage marks |
//! | `edge` | the edge isolate's bindings |
//! | `actor` | the object's state, and the object that core exports |
//! | `socket` | hibernatable sockets of an object |
//! | `object_store` | storage of whole objects by key: R2 |

mod actor;
mod call;
mod edge;
mod http;
mod isolate;
mod object_store;
mod socket;

pub use actor::{Actor, ActorState, AlarmFailure};
pub use call::{ActorNamespace, CallError, ObjectBody, ObjectRequest};
pub use edge::EdgeEnv;
pub use http::{Headers, Method, Request, RequestBody, Response};
pub use isolate::Isolate;
pub use object_store::{BATCH_LIMIT, KEY_LIMIT, Listed, Listing, ObjectStore, PutCondition, PutOutcome, StoreError};
pub use socket::{HibernatingSocket, SocketState};
