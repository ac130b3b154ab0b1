//! Edge isolates.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `isolate` | an isolate, its restarts, and requests that end without a word |
//! | `state` | what an isolate gives to one request |
//! | `context` | the context of one request, in which alone its handles may be used |
//! | `request` | requests as clients send them |
//! | `upload` | the body of a request, as it arrives |
//! | `reply` | an object's reply on its way through, and answers as plain data |
//! | `socket` | the edge's ends of sockets |
//! | `download` | answers that go on, to clients that may be slow or gone |
//! | `flights` | what identical requests of an isolate share |
//! | `faults` | what goes wrong |

mod context;
pub(super) mod download;
mod faults;
mod flights;
pub(super) mod isolate;
pub(super) mod reply;
pub(super) mod request;
pub(super) mod socket;
pub(super) mod state;
pub(super) mod upload;

pub use faults::EdgeFaults;
