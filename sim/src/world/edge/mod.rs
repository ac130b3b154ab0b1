//! Edge isolates.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`isolate`] | an isolate and its restarts |
//! | [`edge_socket`] | the edge's ends of sockets |
//! | [`answer_body`] | answers that go on, to clients that may be slow or gone |
//! | `flights` | what identical requests of an isolate share |

pub mod answer_body;
pub mod edge_socket;
mod flights;
pub mod isolate;
