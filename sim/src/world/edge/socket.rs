//! The edge's end of a socket to an object.

use std::rc::Rc;

use tailrace_core::runtime::{EdgeSocket, SocketEvent};

use crate::kernel::rt;
use crate::world::edge::context::Context;
use crate::world::marks;
use crate::world::memory::What;
use crate::world::network::callee::Callee;
use crate::world::sockets::mailbox::{Arrived, Mailbox};

/// The edge's end. Dropping it closes the socket. The object is told, unless its end is left half-dead.
pub struct EdgeEnd {
    context: Rc<Context>,
    /// The index of the isolate's datacenter.
    colo: usize,
    callee: Rc<dyn Callee>,
    object: String,
    number: u64,
    mailbox: Rc<Mailbox>,
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
        mailbox.open(most_bytes, context.memory().load(What::Socket, 0));
        Self { context, colo, callee, object: object.to_owned(), number, mailbox }
    }
}

impl EdgeSocket for EdgeEnd {
    async fn next(&self, wait_ms: u64) -> SocketEvent {
        let arrived = match self.context.admits().then(|| self.mailbox.try_next()) {
            Some(None) => self.context.guard(rt::within_ms(wait_ms, self.mailbox.next())).await,
            arrived => arrived,
        };
        match arrived {
            Some(Some(Arrived::Message(message))) => SocketEvent::Message(message),
            Some(Some(Arrived::Overflow)) => SocketEvent::Overflowed,
            Some(Some(Arrived::End)) | None => SocketEvent::Closed,
            Some(None) => SocketEvent::TimedOut,
        }
    }
}

impl Drop for EdgeEnd {
    fn drop(&mut self) {
        self.context.close_socket();
        self.mailbox.abandon();
        if self.mailbox.has_ended() {
            return;
        }
        let environment = self.context.environment();
        let object_colo = environment.colo_of(&self.object, self.colo);
        let is_cut_off = environment.are_apart(self.colo, object_colo);
        if environment.chance(environment.faults().sockets.half_dead_permille) || is_cut_off {
            environment.mark(marks::SOCKET_HALF_DEAD);
            return;
        }
        let wait_ms = environment.draw_ms(environment.faults().network.object_link.latency)
            + environment.distance_ms(self.colo, object_colo);
        let (callee, object, number) = (self.callee.clone(), self.object.clone(), self.number);
        environment.node.spawn(async move {
            rt::sleep_ms(wait_ms).await;
            callee.end_socket(&object, number);
        });
    }
}
