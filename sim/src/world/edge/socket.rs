//! The edge's end of a socket to an object.

use std::rc::Rc;

use tailrace_core::runtime::{EdgeSocket, SocketEvent};

use crate::kernel::rt;
use crate::world::edge::context::Context;
use crate::world::network::Line;
use crate::world::network::LineSocket;
use crate::world::network::callee::Callee;
use crate::world::sockets::mailbox::Mailbox;

/// The edge's end. Dropping it closes the socket.
pub struct EdgeEnd {
    context: Rc<Context>,
    end: LineSocket,
}

impl EdgeEnd {
    pub(crate) fn new(
        context: Rc<Context>,
        colo: usize,
        callee: Rc<dyn Callee>,
        object: &str,
        number: u64,
        mailbox: Rc<Mailbox>,
        most_bytes: usize,
    ) -> Self {
        context.open_socket();
        let line = Line::new(context.environment().clone(), callee, colo, context.memory().clone());
        Self { end: LineSocket::open(line, object, number, mailbox, most_bytes), context }
    }
}

impl EdgeSocket for EdgeEnd {
    async fn next(&self, wait_ms: u64) -> SocketEvent {
        match self.context.admits().then(|| self.end.try_next()) {
            Some(Some(event)) => event,
            Some(None) => match self.context.guard(rt::within_ms(wait_ms, self.end.next())).await {
                Some(arrived) => arrived.unwrap_or(SocketEvent::TimedOut),
                None => SocketEvent::Closed,
            },
            None => SocketEvent::Closed,
        }
    }
}

impl Drop for EdgeEnd {
    fn drop(&mut self) {
        self.context.close_socket();
    }
}
