//! The asynchronous runtime that a host gives to core: small request and reply types, and traits with native
//! `async fn` whose futures are `!Send`. There are two environments, because the platform has two: an edge isolate has
//! no SQL, an object has SQL, a bucket, sockets that outlive its memory, and one alarm.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `http` | method, headers, request and response of clients |
//! | `call` | the request that reaches an object |
//! | `call_error` | how a call to an object fails |
//! | `isolate` | what every isolate has: clock, randomness, coverage marks |
//! | `edge` | the edge isolate's bindings |
//! | `edge_socket` | the edge's end of a socket to an object |
//! | `client_body` | the client's end of an answer that goes on |
//! | `flight` | work that identical requests of one isolate share |
//! | `actor` | the object's state, and the object that core exports |
//! | `socket` | hibernatable sockets of an object, and what a connection to it becomes |
//! | `object_store` | storage of whole objects by key: R2 |

mod actor;
mod call;
mod call_error;
mod client_body;
mod edge;
mod edge_socket;
mod flight;
mod http;
mod isolate;
mod object_store;
mod socket;

pub use actor::{Actor, ActorState, AlarmFailure};
pub use call::{ActorNamespace, ObjectBody, ObjectRequest};
pub use call_error::CallError;
pub use client_body::{ClientBody, Patience, PipeEnd, PipeRule, Piped, Written};
pub use edge::{Connected, EdgeEnv, SocketNamespace};
pub use edge_socket::{EdgeSocket, SocketEvent};
pub use flight::{Flights, Landing, Shared};
pub use http::{Headers, Method, Request, RequestBody, Response};
pub use isolate::Isolate;
pub use object_store::{BATCH_LIMIT, KEY_LIMIT, Listed, Listing, ObjectStore, PutCondition, PutOutcome, StoreError};
pub use socket::{After, Connection, HibernatingSocket, SocketState, Upgrade};
