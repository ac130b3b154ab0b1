//! Edge isolates.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `isolate` | an isolate and its restarts |
//! | `edge_socket` | the edge's ends of sockets |
//! | `answer_body` | answers that go on, to clients that may be slow or gone |
//! | `flights` | what identical requests of an isolate share |
//! | `faults` | what goes wrong |

pub(super) mod answer_body;
pub(super) mod edge_socket;
mod faults;
mod flights;
pub(super) mod isolate;

pub use faults::EdgeFaults;
