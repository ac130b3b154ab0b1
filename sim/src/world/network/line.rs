//! The way from a datacenter to objects, and the ends of sockets there.

use std::rc::Rc;

use tailrace_core::protocol::{Address, Response};
use tailrace_core::runtime::{CallError, ObjectRequest, SocketEvent};

use crate::kernel::rt;
use crate::world::environment::Environment;
use crate::world::marks;
use crate::world::memory::{Load, Meter, What};
use crate::world::network::callee::{Callee, Caller, Opened};
use crate::world::network::travel;
use crate::world::sockets::mailbox::{Arrived, Mailbox};

/// The way from a datacenter to objects, for an edge that does not run in an isolate of the world; clones are of the same
/// one. Calls are nobody's: they are not charged to a request, and faults that touch them are proven to nobody.
#[derive(Clone)]
pub struct Line {
    environment: Rc<Environment>,
    callee: Rc<dyn Callee>,
    colo: usize,
    memory: Meter,
}

/// What an object has answered to a call over a line.
pub enum LineAnswer {
    /// A response.
    Answer(Response),
    /// It has too much to do, and has done nothing.
    Overloaded,
    /// A socket.
    Socket(LineSocket),
}

/// The end of a socket away from its object. Dropping it closes the socket. The object is told, unless its end is left
/// half-dead.
pub struct LineSocket {
    line: Line,
    object: String,
    number: u64,
    mailbox: Rc<Mailbox>,
}

impl Line {
    pub(in crate::world) fn new(
        environment: Rc<Environment>,
        callee: Rc<dyn Callee>,
        colo: usize,
        memory: Meter,
    ) -> Self {
        Self { environment, callee, colo, memory }
    }

    /// Calls that object with an encoded message. On a socket that it answers with, at most so many bytes
    /// may wait.
    pub async fn call(&self, object: Address<'_>, message: String, most_bytes: usize) -> Result<LineAnswer, CallError> {
        let caller = Caller { colo: self.colo, release: self.environment.release.get(), cause: None };
        let accept = {
            let (line, object) = (self.clone(), object.to_string());
            // From here on somebody owns the end: if it is dropped, the socket closes.
            move |opened| match opened {
                Opened::Answer(response) => LineAnswer::Answer(response),
                Opened::Overloaded => LineAnswer::Overloaded,
                Opened::Socket(number, mailbox) => {
                    LineAnswer::Socket(LineSocket::open(line, &object, number, mailbox, most_bytes))
                }
            }
        };
        let request = ObjectRequest::of(message);
        travel::call(&self.environment, self.callee.clone(), object, request, caller, accept).await
    }
}

impl LineSocket {
    /// Takes the end of the socket of that number, on which at most so many bytes may wait.
    pub(in crate::world) fn open(
        line: Line,
        object: &str,
        number: u64,
        mailbox: Rc<Mailbox>,
        most_bytes: usize,
    ) -> Self {
        let load: Load = line.memory.load(What::Socket, 0);
        mailbox.open(most_bytes, load);
        Self { line, object: object.to_owned(), number, mailbox }
    }

    /// What has arrived and was not taken yet; `None` if that is nothing. It never times out.
    pub fn try_next(&self) -> Option<SocketEvent> {
        self.mailbox.try_next().map(event)
    }

    /// Waits for what arrives next. It never times out.
    pub async fn next(&self) -> SocketEvent {
        event(self.mailbox.next().await)
    }
}

fn event(arrived: Arrived) -> SocketEvent {
    match arrived {
        Arrived::Message(message) => SocketEvent::Message(message),
        Arrived::Overflow => SocketEvent::Overflowed,
        Arrived::End => SocketEvent::Closed,
    }
}

impl Drop for LineSocket {
    fn drop(&mut self) {
        self.mailbox.abandon();
        if self.mailbox.has_ended() {
            return;
        }
        let Line { environment, callee, colo, .. } = &self.line;
        let object_colo = environment.colo_of(&self.object, *colo);
        let is_cut_off = environment.are_apart(*colo, object_colo);
        if environment.chance(environment.faults().sockets.half_dead_permille) || is_cut_off {
            environment.mark(marks::SOCKET_HALF_DEAD);
            return;
        }
        let wait_ms = environment.draw_ms(environment.faults().network.object_link.latency)
            + environment.distance_ms(*colo, object_colo);
        let (callee, object, number) = (callee.clone(), self.object.clone(), self.number);
        environment.node.spawn(async move {
            rt::sleep_ms(wait_ms).await;
            callee.end_socket(&object, number);
        });
    }
}
