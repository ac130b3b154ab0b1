//! Edge isolates.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `pool` | the isolates of a datacenter, and which of them serves a request |
//! | `isolate` | an isolate, its restarts, and requests that the platform ends |
//! | `inner` | the inner entrypoint, as a gateway asks it |
//! | `state` | what an isolate gives to one request |
//! | `instance` | the instance of core in which an isolate's requests run, which a panic loses |
//! | `context` | the context of one request: no other request's task may use its handles |
//! | `request` | requests as clients send them |
//! | `upload` | the body of a request, as it arrives |
//! | `reply` | an object's reply on its way through, and kept answers |
//! | `times` | when requests have called objects, and were answered |
//! | `served` | an answer as it leaves an isolate |
//! | `socket` | the edge's ends of sockets |
//! | `download` | answers that are written piece by piece, to clients that may be slow or gone |
//! | `pipe` | what both ends of such an answer share |
//! | `flights` | the work of one request whose answer identical requests of its isolate share |
//! | `faults` | what goes wrong |

pub(super) mod context;
pub(super) mod download;
mod faults;
mod flights;
mod inner;
mod instance;
pub(super) mod isolate;
pub(super) mod pipe;
pub(super) mod pool;
pub(super) mod reply;
pub(super) mod request;
pub(super) mod served;
pub(super) mod socket;
pub(super) mod state;
pub(super) mod times;
pub(super) mod upload;

pub use faults::EdgeFaults;
