//! What an isolate has in memory: the bytes of bodies, replies, buffers and queues, as they come and go.
//!
//! The platform kills an isolate that holds more than 128 MB (Cloudflare, Workers limits). The world has smaller
//! payloads, and kills none; it only tells how much there was at most.

use std::cell::Cell;
use std::rc::Rc;

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The body of a client's request, as far as it has come.
    Body,
    /// Its copy on the way to an object.
    Call,
    /// An object's reply that the edge has to itself.
    Reply,
    /// What waits for the client of one answer.
    Client,
    /// What has arrived on one socket, and was not taken.
    Socket,
    /// What an object has in the isolate: bodies of its calls, answers and messages that have not left.
    Object,
}

/// The most bytes that an isolate had in memory at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Of all kinds together.
    pub all: usize,
    /// Of request bodies.
    pub bodies: usize,
    /// What waited for one client.
    pub client: usize,
    /// What waited for all clients of the isolate.
    pub clients: usize,
    /// What had arrived on one socket.
    pub socket: usize,
    /// What one object has sent on its sockets within a second, all copies together, except for messages that bring no
    /// content.
    pub pushed: usize,
}

/// Messages of fewer bytes bring no content.
const SHORT_MESSAGE: usize = 60;

/// Counts the bytes of one isolate; clones are of the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Rc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: Cell<usize>,
    bodies: Cell<usize>,
    clients: Cell<usize>,
    most: Cell<Footprint>,
}

/// Bytes that are in memory for as long as this lives.
#[derive(Debug)]
pub(crate) struct Load {
    meter: Meter,
    what: What,
    bytes: Cell<usize>,
}

impl Meter {
    /// So many bytes are in memory from now on.
    pub(crate) fn load(&self, what: What, bytes: usize) -> Load {
        let load = Load { meter: self.clone(), what, bytes: Cell::new(0) };
        load.set(bytes);
        load
    }

    /// How much waits for clients.
    pub(crate) fn clients(&self) -> usize {
        self.0.clients.get()
    }

    pub(crate) fn most(&self) -> Footprint {
        self.0.most.get()
    }
}

impl Load {
    /// It is so many bytes from now on.
    pub(crate) fn set(&self, bytes: usize) {
        let Counts { all, bodies, clients, most } = &*self.meter.0;
        let before = self.bytes.replace(bytes);
        all.set(all.get() + bytes - before);
        let mut footprint = most.get();
        footprint.all = footprint.all.max(all.get());
        match self.what {
            What::Body => {
                bodies.set(bodies.get() + bytes - before);
                footprint.bodies = footprint.bodies.max(bodies.get());
            }
            What::Client => {
                clients.set(clients.get() + bytes - before);
                footprint.client = footprint.client.max(bytes);
                footprint.clients = footprint.clients.max(clients.get());
            }
            What::Socket => footprint.socket = footprint.socket.max(bytes),
            What::Call | What::Reply | What::Object => {}
        }
        most.set(footprint);
    }

    /// So many bytes more.
    pub(crate) fn add(&self, bytes: usize) {
        self.set(self.bytes.get() + bytes);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// For how long what was sent counts, in ms.
const SPAN_MS: u64 = 1_000;

/// What one instance of an object has sent on its sockets within a second.
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    began_ms: Cell<u64>,
    bytes: Cell<usize>,
}

impl Pushed {
    /// What comes next is of another instance of core.
    pub(crate) fn forget(&self) {
        self.bytes.set(0);
    }

    /// Copies of a message were sent. Returns how many bytes that makes.
    pub(crate) fn add(&self, copies: usize, message_bytes: usize, now_ms: u64) -> usize {
        if message_bytes < SHORT_MESSAGE {
            return self.bytes.get();
        }
        if now_ms >= self.began_ms.get() + SPAN_MS {
            self.began_ms.set(now_ms);
            self.bytes.set(0);
        }
        self.bytes.set(self.bytes.get() + copies * message_bytes);
        self.bytes.get()
    }
}

impl Footprint {
    /// The larger one of each number.
    pub fn max(self, other: Self) -> Self {
        Self {
            all: self.all.max(other.all),
            bodies: self.bodies.max(other.bodies),
            client: self.client.max(other.client),
            clients: self.clients.max(other.clients),
            socket: self.socket.max(other.socket),
            pushed: self.pushed.max(other.pushed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_that_there_was_at_a_time_is_told_by_kind_and_in_all() {
        let meter = Meter::default();
        let body = meter.load(What::Body, 10);
        let other = meter.load(What::Body, 5);
        drop(other);
        let client = meter.load(What::Client, 3);
        client.add(4);
        drop(meter.load(What::Client, 2));
        client.set(1);
        body.set(12);
        drop(meter.load(What::Socket, 2));
        let expected = Footprint { all: 19, bodies: 15, client: 7, clients: 9, socket: 2, pushed: 0 };
        assert_eq!(meter.most(), expected);
        drop((body, client));
        assert_eq!(meter.0.all.get(), 0);
    }

    #[test]
    fn what_is_sent_counts_with_all_copies_for_a_second() {
        let pushed = Pushed::default();
        let sent = [(0, 3, 100), (999, 1, 100), (999, 50, SHORT_MESSAGE - 1), (1_000, 1, 100), (1_500, 2, 100)];
        let told = sent.map(|(now_ms, copies, bytes)| pushed.add(copies, bytes, now_ms));
        assert_eq!(told, [300, 400, 400, 100, 300]);
    }
}
