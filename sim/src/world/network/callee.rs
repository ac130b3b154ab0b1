//! Objects, as those that call them over the network see them.

use std::rc::Rc;

use tailrace_core::protocol::{Address, Response};
use tailrace_core::runtime::ObjectRequest;

use crate::kernel::reply::Reply;
use crate::world::sockets::mailbox::Mailbox;

/// Who calls an object.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Caller {
    /// The index of its datacenter.
    pub(crate) colo: usize,
    /// Its release.
    pub(crate) release: u32,
    /// The client's request for which it calls, if there is one.
    pub(crate) cause: Option<u64>,
}

/// Takes requests to objects.
pub(crate) trait Callee {
    /// Hands a request to an object; the reply is dropped if the object goes away before it answers.
    fn call(&self, object: Address<'_>, request: ObjectRequest, caller: Caller) -> Reply<Opened>;

    /// The edge's end of a socket has gone, whose object is written so.
    fn end_socket(&self, object: &str, number: u64);
}

/// What an object that was called has answered.
pub(crate) enum Opened {
    /// A response.
    Answer(Response),
    /// It has too much to do, and has done nothing.
    Overloaded,
    /// A socket: its number, and where messages on it arrive.
    Socket(u64, Rc<Mailbox>),
}
