//! Edge isolates.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`isolate`] | an isolate and its restarts |
//! | [`edge_socket`] | the edge's ends of sockets |
//! | [`answer_body`] | answers that go on, to clients that may be slow or gone |
//! | `flights` | what identical requests of an isolate share |
//! | `faults` | what goes wrong |

pub mod answer_body;
pub mod edge_socket;
mod faults;
mod flights;
pub mod isolate;

pub use faults::EdgeFaults;
