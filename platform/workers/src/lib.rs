//! Core on the Workers runtime.
//!
//! JavaScript (`js/`) owns requests, responses and sockets, and makes and replaces this wasm instance. Every decision
//! is core's. A request at the edge is one future of core, which JavaScript polls whenever an operation that it asked
//! for has ended. Header fields cross as one string, and bytes only where core needs them. A statement crosses once
//! with all its parameters, and its rows come back together.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `edge_task` | requests at the edge as tasks, and what the Worker calls |
//! | `edge_env` | what one request at the edge can reach, as core sees it |
//! | `operation` | what a task asks of its request, and the operations that it waits for |
//! | `outcome` | how an operation of the edge has ended |
//! | `object` | what a Durable Object calls: one request, the alarm |
//! | `state` | an object's state as core sees it: clock, randomness, SQL, bucket, alarm, sockets |
//! | `bucket` | the bucket: R2 |
//! | `kv` | KV, as objects reach it |
//! | `sql` | the storage: statements, transactions |
//! | `param` | parameters of a statement as JavaScript reads them |
//! | `row` | rows as JavaScript writes them |
//! | `io` | the JavaScript objects that Rust calls |
//! | `deployment` | what the deployment configures |
//! | `console` | core's warnings and errors on the console |
//! | `fault` | faults on request, in test builds |

mod bucket;
mod console;
pub mod deployment;
mod edge_env;
pub mod edge_task;
#[cfg(feature = "faults")]
mod fault;
pub mod io;
mod kv;
pub mod object;
mod operation;
mod outcome;
mod param;
mod row;
mod sql;
mod state;
