//! Hibernatable sockets, as an object holds them.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`object_sockets`] | the object's ends |

pub mod object_sockets;
