//! Hibernatable sockets, as an object holds them.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `object_sockets` | the object's ends |
//! | `mailbox` | what has arrived at the edge's end of a socket |
//! | `faults` | what goes wrong |

mod faults;
pub(super) mod mailbox;
pub(super) mod object_sockets;

pub use faults::SocketFaults;
