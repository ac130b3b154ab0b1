//! Hibernatable sockets, as an object holds them.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`object_sockets`] | the object's ends |
//! | `faults` | what goes wrong |

mod faults;
pub mod object_sockets;

pub use faults::SocketFaults;
