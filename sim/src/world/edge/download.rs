//! The body of an answer that the edge writes piece by piece: it travels from an edge isolate over the client network
//! to a client that may be slow or gone.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use bytes::Bytes;
use tailrace_core::runtime::{self, CallError, Patience, Pushed, Written};

use crate::kernel::rt;
use crate::world::edge::context::Context;
use crate::world::edge::reply::ObjectReply;
use crate::world::edge::socket::EdgeEnd;
use crate::world::environment::Environment;
use crate::world::harm::Harm;
use crate::world::marks;
use crate::world::memory::{Load, What};
use crate::world::network::travel::{SLOW_MS, latency_ms};

/// The most pieces in which what was written at once arrives.
const MOST_PIECES: u64 = 5;

/// What a client reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes that were written together, or the last of them.
    Bytes(Bytes),
    /// Bytes that were written together with those that come next.
    Part(Bytes),
    /// The answer is complete.
    End,
    /// The connection broke.
    Cut,
}

/// What both ends share.
struct Pipe {
    environment: Rc<Environment>,
    /// The request's number.
    number: u64,
    /// Bytes written and not yet read.
    waiting_bytes: Cell<usize>,
    load: Load,
    arrived: RefCell<VecDeque<Piece>>,
    /// When the last piece so far arrives at the client, in ms since the Unix epoch.
    arrives_ms: Cell<u64>,
    /// Whether nothing more arrives: the answer is complete, or its connection broke, or died without anybody noticing.
    is_over: Cell<bool>,
    /// Whether the isolate has dropped what the client has not read. What has arrived is the client's.
    is_dropped: Cell<bool>,
    /// When the edge can notice that the client is gone, in ms since the Unix epoch; `None` if the client is there.
    gone_ms: Cell<Option<u64>>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

/// A new body: the edge's end, and the client's.
pub(crate) fn download(context: Rc<Context>) -> (Download, AnswerBody) {
    let pipe = Rc::new(Pipe {
        environment: context.environment().clone(),
        number: context.number(),
        waiting_bytes: Cell::default(),
        load: context.memory().load(What::Client, 0),
        arrived: RefCell::default(),
        arrives_ms: Cell::default(),
        is_over: Cell::default(),
        is_dropped: Cell::default(),
        gone_ms: Cell::default(),
        reader: RefCell::default(),
        writer: RefCell::default(),
    });
    (Download { context, pipe: pipe.clone() }, AnswerBody(pipe))
}

/// The edge's end of an answer's body. Dropping it completes the answer, or breaks it if the platform has ended the
/// request.
pub struct Download {
    context: Rc<Context>,
    pipe: Rc<Pipe>,
}

/// The client's end of an answer's body. Dropping it means that the client leaves; the edge notices when it writes.
pub struct AnswerBody(Rc<Pipe>);

/// Breaks the connection of an answer from the edge's side.
pub(crate) struct Breaker(Weak<Pipe>);

impl Pipe {
    fn is_gone(&self) -> bool {
        self.gone_ms.get().is_some_and(|gone_ms| gone_ms <= self.environment.now_ms())
    }

    /// The client goes away. The edge can notice after the latency of one way.
    fn lose_client(self: &Rc<Self>) {
        if self.gone_ms.get().is_some() {
            return;
        }
        let environment = &self.environment;
        let latency_ms = environment.draw_ms(environment.faults().network.client_link.latency);
        self.gone_ms.set(Some(environment.now_ms() + latency_ms));
        let pipe = self.clone();
        environment.node.spawn(async move {
            rt::sleep_ms(latency_ms).await;
            pipe.drop_waiting();
            wake(&pipe.writer);
        });
    }

    fn push(self: &Rc<Self>, bytes: Bytes) {
        self.waiting_bytes.set(self.waiting_bytes.get() + bytes.len());
        self.load.set(self.waiting_bytes.get());
        let pause = self.environment.faults().edge.answer_pause;
        for (number, piece) in self.in_pieces(bytes).into_iter().enumerate() {
            self.put_out(piece, if number == 0 { 0 } else { self.environment.draw_ms(pause) });
        }
    }

    /// Bytes as they travel: as they were written, or in several pieces, cut between any two bytes.
    fn in_pieces(&self, mut bytes: Bytes) -> Vec<Piece> {
        let environment = &self.environment;
        if bytes.len() < 2 || !environment.chance(environment.faults().edge.answer_in_pieces_permille) {
            return vec![Piece::Bytes(bytes)];
        }
        environment.mark(marks::ANSWER_IN_PIECES);
        let mut pieces = Vec::new();
        for _ in 0..environment.random.between(1, MOST_PIECES - 1) {
            if bytes.len() < 2 {
                break;
            }
            let length = environment.random.between(1, bytes.len() as u64 - 1);
            pieces.push(Piece::Part(bytes.split_to(length as usize)));
        }
        pieces.push(Piece::Bytes(bytes));
        pieces
    }

    /// Sends a piece, `pause_ms` after those before.
    fn put_out(self: &Rc<Self>, piece: Piece, pause_ms: u64) {
        if self.is_over.get() {
            return;
        }
        let environment = &self.environment;
        if environment.chance(environment.faults().edge.answer_cut_permille) {
            environment.mark(marks::ANSWER_CUT);
            environment.harm(Harm::AnswerCut, Some(self.number));
            self.finish(Piece::Cut);
            self.lose_client();
        } else if environment.chance(environment.faults().edge.answer_lost_permille) {
            environment.mark(marks::ANSWER_LOST);
            environment.harm(Harm::AnswerCut, Some(self.number));
            self.is_over.set(true);
        } else {
            self.travel(piece, pause_ms);
        }
    }

    /// Breaks the connection from the edge's side: nothing that the client has not read is in the isolate any more.
    fn cut(self: &Rc<Self>) {
        self.finish(Piece::Cut);
        self.drop_waiting();
    }

    /// The isolate drops what the client has not read.
    fn drop_waiting(&self) {
        self.is_dropped.set(true);
        self.load.set(0);
        self.waiting_bytes.set(0);
    }

    /// Ends the body with the piece that says how it ended.
    fn finish(self: &Rc<Self>, last: Piece) {
        if !self.is_over.replace(true) {
            self.travel(last, 0);
        }
    }

    /// Sends a piece on its way, so long after those sent before.
    fn travel(self: &Rc<Self>, piece: Piece, pause_ms: u64) {
        let environment = &self.environment;
        let now_ms = environment.now_ms();
        let latency_ms = latency_ms(environment, environment.faults().network.client_link);
        if latency_ms >= SLOW_MS {
            environment.harm(Harm::ClientMessageSlow, Some(self.number));
        }
        self.arrives_ms.set(self.arrives_ms.get().max(now_ms + latency_ms) + pause_ms);
        if self.arrives_ms.get() == now_ms {
            return self.arrive(piece);
        }
        let wait_ms = self.arrives_ms.get() - now_ms;
        // Two pieces that arrive in the same millisecond keep their order by a step of their own.
        self.arrives_ms.set(self.arrives_ms.get() + 1);
        let pipe = self.clone();
        environment.node.spawn(async move {
            rt::sleep_ms(wait_ms).await;
            pipe.arrive(piece);
        });
    }

    fn arrive(&self, piece: Piece) {
        self.arrived.borrow_mut().push_back(piece);
        wake(&self.reader);
    }

    /// Waits until at most this many bytes wait for the client, or it is gone.
    async fn drained(&self, buffer_bytes: usize) {
        poll_fn(|context| {
            if self.waiting_bytes.get() <= buffer_bytes || self.is_gone() {
                return Poll::Ready(());
            }
            *self.writer.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

fn wake(waker: &RefCell<Option<Waker>>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl Download {
    /// What breaks the connection when the isolate ends.
    pub(crate) fn breaker(&self) -> Breaker {
        Breaker(Rc::downgrade(&self.pipe))
    }
}

impl Breaker {
    /// Breaks the connection, unless the answer is over. Returns whether it was under way.
    pub(crate) fn cut(&self) -> bool {
        let Some(pipe) = self.0.upgrade().filter(|_| self.is_needed()) else { return false };
        pipe.cut();
        true
    }

    /// Whether the answer is under way.
    pub(crate) fn is_needed(&self) -> bool {
        self.0.upgrade().is_some_and(|pipe| !pipe.is_over.get())
    }
}

impl runtime::Download for Download {
    type Socket = EdgeEnd;
    type Reply = ObjectReply;

    fn push(&self, bytes: Bytes) -> Pushed {
        if !self.context.admits() || self.pipe.is_gone() {
            return Pushed::Gone;
        }
        if !bytes.is_empty() {
            self.pipe.push(bytes);
        }
        Pushed::Waiting(self.pipe.waiting_bytes.get())
    }

    async fn drained(&self, patience: Patience) -> Written {
        let drained = rt::within_ms(patience.wait_ms, self.pipe.drained(patience.buffer_bytes));
        match self.context.guard(drained).await {
            None => Written::Gone,
            Some(_) if self.pipe.is_gone() => Written::Gone,
            Some(Some(())) => Written::Taken,
            Some(None) => Written::Stalled,
        }
    }

    fn waiting_for_clients(&self) -> usize {
        self.context.memory().clients()
    }

    fn cut(&self) {
        self.pipe.cut();
    }

    async fn push_reply(&self, reply: ObjectReply) -> Result<Pushed, CallError> {
        reply.whole().map(|response| self.push(response.body))
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // The task of a request that the platform has ended did not come to its end.
        match self.context.has_ended() {
            true => self.pipe.cut(),
            false => self.pipe.finish(Piece::End),
        }
    }
}

impl AnswerBody {
    /// Waits for the next piece. After the last one nothing comes any more.
    pub async fn next(&self) -> Piece {
        poll_fn(|context| match self.try_next() {
            Some(piece) => Poll::Ready(piece),
            None => {
                *self.0.reader.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    fn try_next(&self) -> Option<Piece> {
        let piece = self.0.arrived.borrow_mut().pop_front()?;
        if let Piece::Bytes(bytes) | Piece::Part(bytes) = &piece
            && !self.0.is_dropped.get()
        {
            self.0.waiting_bytes.set(self.0.waiting_bytes.get() - bytes.len());
            self.0.load.set(self.0.waiting_bytes.get());
            wake(&self.0.writer);
        }
        Some(piece)
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.0.lose_client();
    }
}

#[cfg(test)]
mod tests {
    use tailrace_core::runtime::Download as _;

    use super::*;
    use crate::kernel::random::{Delay, Seeds};
    use crate::world::faults::Faults;
    use crate::world::memory::Meter;
    use crate::world::network::Link;

    fn context(faults: Faults) -> Rc<Context> {
        Context::new(Rc::new(Environment::new(faults, Seeds::of(1), None)), Meter::default(), 1)
    }

    /// Runs `test` with both ends of a body.
    fn run<F: Future<Output = ()>>(faults: Faults, test: impl FnOnce(Download, AnswerBody) -> F) {
        rt::block_on(1, async move {
            let (edge, client) = download(context(faults));
            test(edge, client).await;
        });
    }

    /// 10 bytes may wait, for this many ms.
    fn patience(wait_ms: u64) -> Patience {
        Patience { buffer_bytes: 10, all_bytes: usize::MAX, wait_ms }
    }

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn late() -> Faults {
        let client_link = Link { latency: Delay::new(5, 30), ..Link::default() };
        Faults::default().with(|faults| faults.network.client_link = client_link)
    }

    #[test]
    fn pieces_arrive_in_order_and_the_end_after_them() {
        run(late(), async |edge, client| {
            for text in ["a", "b", "c"] {
                assert_eq!(edge.write(bytes(text), patience(0)).await, Written::Taken);
            }
            drop(edge);
            for text in ["a", "b", "c"] {
                assert_eq!(client.next().await, Piece::Bytes(bytes(text)));
            }
            assert_eq!(client.next().await, Piece::End);
            assert_eq!(rt::within_ms(1_000, client.next()).await, None);
        });
    }

    #[test]
    fn a_client_that_does_not_read_fills_the_buffer_and_one_that_does_empties_it() {
        run(Faults::default(), async |edge, client| {
            assert_eq!(edge.write(bytes("0123456789"), patience(50)).await, Written::Taken);
            assert_eq!(edge.write(bytes("x"), patience(50)).await, Written::Stalled);
            assert_eq!(rt::now_ns() / 1_000_000, 50);
            assert_eq!(client.next().await, Piece::Bytes(bytes("0123456789")));
            assert_eq!(edge.write(bytes("y"), patience(50)).await, Written::Taken);
            assert_eq!(client.next().await, Piece::Bytes(bytes("x")), "what stalled is not lost");
        });
    }

    #[test]
    fn a_client_that_has_left_is_noticed_by_writing() {
        run(late(), async |edge, client| {
            drop(client);
            assert_eq!(edge.write(bytes("a"), patience(0)).await, Written::Taken, "the news is still on its way");
            rt::sleep_ms(40).await;
            assert_eq!(edge.write(bytes("b"), patience(0)).await, Written::Gone);
        });
    }

    #[test]
    fn a_connection_that_breaks_is_noticed_at_both_ends_and_one_that_dies_at_none() {
        run(Faults::default().with(|faults| faults.edge.answer_cut_permille = 1000), async |edge, client| {
            edge.write(bytes("a"), patience(0)).await;
            assert_eq!(client.next().await, Piece::Cut);
            assert_eq!(edge.write(bytes("b"), patience(0)).await, Written::Gone);
        });
        run(Faults::default().with(|faults| faults.edge.answer_lost_permille = 1000), async |edge, client| {
            assert_eq!(edge.write(bytes("a"), patience(0)).await, Written::Taken);
            assert_eq!(rt::within_ms(100_000, client.next()).await, None);
            assert_eq!(edge.write(bytes("0123456789"), patience(0)).await, Written::Stalled);
        });
    }

    #[test]
    fn connections_break_and_die_never_sometimes_or_always() {
        for permille in [0, 300, 1000] {
            for (faults, whole) in [
                (Faults::default().with(|faults| faults.edge.answer_cut_permille = permille), Some(Piece::Cut)),
                (Faults::default().with(|faults| faults.edge.answer_lost_permille = permille), None),
            ] {
                rt::block_on(1, async move {
                    let context = context(faults);
                    let mut failed = 0;
                    for _ in 0..100 {
                        let (edge, client) = download(context.clone());
                        edge.write(bytes("a"), patience(0)).await;
                        let first = rt::within_ms(1, client.next()).await;
                        if first != Some(Piece::Bytes(bytes("a"))) {
                            assert_eq!(first, whole);
                            failed += 1;
                        }
                    }
                    let expected = match permille {
                        0 => 0..=0,
                        1000 => 100..=100,
                        _ => 5..=95,
                    };
                    assert!(expected.contains(&failed), "{failed} of 100 at {permille} permille");
                });
            }
        }
    }

    #[test]
    fn what_was_written_at_once_arrives_in_pieces_never_sometimes_or_always() {
        for permille in [0, 300, 1000] {
            let faults = Faults::default().with(|faults| {
                faults.edge.answer_in_pieces_permille = permille;
                faults.edge.answer_pause = Delay::new(1, 30);
            });
            run(faults, async |edge, client| {
                let mut in_pieces = 0;
                for _ in 0..100 {
                    let before_ms = rt::now_ns() / 1_000_000;
                    edge.write(bytes("0123456789"), patience(0)).await;
                    let mut parts = Vec::new();
                    let last = loop {
                        match client.next().await {
                            Piece::Part(part) => parts.push(part),
                            last => break last,
                        }
                    };
                    let Piece::Bytes(last) = last else { panic!("nothing goes wrong: {last:?}") };
                    let took_ms = rt::now_ns() / 1_000_000 - before_ms;
                    // The last one may come a ms after the one before it, to keep the order.
                    let most = parts.len() as u64 * 31 + 1;
                    assert!((parts.len() as u64..=most).contains(&took_ms), "{} and {took_ms} ms", parts.len());
                    in_pieces += usize::from(!parts.is_empty());
                    parts.push(last);
                    assert!(parts.len() <= 5 && parts.iter().all(|part| !part.is_empty()));
                    assert_eq!(parts.concat(), b"0123456789");
                }
                let expected = match permille {
                    0 => 0..=0,
                    1000 => 100..=100,
                    _ => 5..=95,
                };
                assert!(expected.contains(&in_pieces), "{in_pieces} of 100 at {permille} permille");
            });
        }
    }

    #[test]
    fn what_waits_is_dropped_with_a_connection_that_is_cut_and_what_has_arrived_is_read() {
        run(Faults::default(), async |edge, client| {
            assert_eq!(edge.push(bytes("0123456789")), Pushed::Waiting(10));
            edge.cut();
            assert_eq!(edge.push(Bytes::new()), Pushed::Waiting(0));
            assert_eq!(client.next().await, Piece::Bytes(bytes("0123456789")));
            assert_eq!(client.next().await, Piece::Cut);
        });
    }

    #[test]
    fn a_broken_connection_does_not_end_as_a_complete_one() {
        run(Faults::default(), async |edge, client| {
            let breaker = edge.breaker();
            assert!(breaker.cut());
            assert!(!breaker.cut());
            drop(edge);
            assert_eq!(client.next().await, Piece::Cut);
            assert!(!breaker.is_needed());
        });
    }
}
