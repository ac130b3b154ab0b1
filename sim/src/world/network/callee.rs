//! Where requests to objects arrive.

use std::rc::Rc;

use tailrace_core::runtime::{ObjectRequest, Response};

use crate::kernel::reply::Reply;
use crate::world::sockets::mailbox::Mailbox;
use crate::world::sockets::object_sockets::AcceptError;

/// Where requests to objects go in.
pub(crate) trait Callee {
    /// Hands a request to an object; the reply is dropped if the object goes away before it answers.
    fn deliver(&self, object: &str, request: ObjectRequest) -> Reply<Response>;

    /// The same, of an edge that can wait on a socket.
    fn connect(&self, object: &str, request: ObjectRequest) -> Reply<Opened>;

    /// The edge's end of a socket has gone.
    fn end_socket(&self, object: &str, number: u64);
}

/// What a connection to an object has become.
pub(crate) enum Opened {
    /// An answer.
    Answer(Response),
    /// A socket of that number, and where what is sent on it arrives.
    Socket(u64, Rc<Mailbox>),
    /// The platform refused to accept it.
    Refused(AcceptError),
}
