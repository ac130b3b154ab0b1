//! The asynchronous runtime that a host gives to core: small request and reply types, and traits with native
//! `async fn` whose futures are `!Send`. There are two environments, because the platform has two: an edge isolate has
//! no SQL, an object has SQL, a bucket, sockets that outlive its memory, and one alarm.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `http` | method, headers, request and response of clients |
//! | `call` | the request that reaches an object, and how a call to one fails |
//! | `isolate` | what every isolate has: clock, randomness, coverage marks |
//! | `mark`, `marks` | what should happen sometimes, and core's table of it |
//! | `edge` | the edge isolate's bindings, and its ends of sockets |
//! | `client_body` | the client's end of an answer that goes on |
//! | `flight` | work that identical requests of one isolate share |
//! | `actor` | the object's state, and the object that core exports |
//! | `socket` | hibernatable sockets of an object, and what a connection to it becomes |
//! | `object_store` | storage of whole objects by key: R2 |

mod actor;
mod call;
mod client_body;
mod edge;
mod flight;
mod http;
mod isolate;
mod mark;
pub mod marks;
mod object_store;
mod socket;

pub use actor::{Actor, ActorState, AlarmFailure};
pub use call::{ActorNamespace, CallError, ObjectBody, ObjectRequest};
pub use client_body::{ClientBody, Patience, PipeEnd, PipeRule, Piped, Written};
pub use edge::{Connected, EdgeEnv, EdgeSocket, SocketEvent, SocketNamespace};
pub use flight::{Flights, Landing, Shared};
pub use http::{Headers, Method, Request, RequestBody, Response};
pub use isolate::Isolate;
pub use mark::Mark;
pub use object_store::{BATCH_LIMIT, KEY_LIMIT, Listed, Listing, ObjectStore, PutCondition, PutOutcome, StoreError};
pub use socket::{After, Connection, HibernatingSocket, SocketState, Upgrade};
