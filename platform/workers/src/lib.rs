//! Core on the Workers runtime.
//!
//! JavaScript (`js/`) owns requests, responses, sockets and the life of this wasm instance; every decision is in core.
//! A request crosses the border once each way: picked header fields as one string and a body in, one answer out. A
//! statement crosses once, with all its parameters, and comes back with all its rows.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `edge` | what the Worker calls: a request's route, the answer for an object that failed |
//! | `live` | live reads at the edge: core's bridge and flights over sockets and bodies of JavaScript |
//! | `object` | what a Durable Object calls: one request, a live read, the alarm |
//! | `state` | an object's state as core sees it: clock, randomness, SQL, bucket, alarm, sockets |
//! | `bucket` | the bucket: R2 |
//! | `sql` | the storage: statements, transactions |
//! | `param` | parameters of a statement as JavaScript reads them |
//! | `row` | rows as JavaScript writes them |
//! | `field` | header fields as one string |
//! | `io` | the JavaScript objects that Rust calls |
//! | `deployment` | what the deployment configures |
//! | `console` | core's warnings and errors on the console |
//! | `fault` | faults on request, in test builds |

mod bucket;
mod console;
pub mod deployment;
pub mod edge;
#[cfg(feature = "faults")]
mod fault;
mod field;
pub mod io;
pub mod live;
pub mod object;
mod param;
mod row;
mod sql;
mod state;
