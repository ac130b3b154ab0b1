//! The body of an answer that the edge writes piece by piece: it travels from an edge isolate over the client network
//! to a client that may be slow or gone.

use std::rc::{Rc, Weak};

use bytes::Bytes;
use tailrace_core::runtime::{self, CallError, Patience, Pushed, Written};

use super::pipe::{Piece, Pipe};
use crate::bill::{self, Cause};
use crate::kernel::rt;
use crate::world::edge::context::Context;
use crate::world::edge::reply::ObjectReply;
use crate::world::edge::socket::EdgeEnd;
use crate::world::environment::Environment;
use crate::world::memory::Meter;

/// A new body that something in front of the isolates writes for the request of that number.
pub(crate) fn download(environment: &Rc<Environment>, number: u64) -> (Download, AnswerBody) {
    download_of(Context::new(environment.clone(), Meter::default(), number))
}

/// A new body: the edge's end, and the client's.
pub(super) fn download_of(context: Rc<Context>) -> (Download, AnswerBody) {
    let pipe = Rc::new(Pipe::new(&context));
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

impl Download {
    /// What breaks the connection when the isolate ends.
    pub(crate) fn breaker(&self) -> Breaker {
        Breaker(Rc::downgrade(&self.pipe))
    }

    /// Writes what left the edge at `left_ms`, in ms since the Unix epoch.
    pub(crate) fn pass_on(&self, bytes: Bytes, left_ms: u64) -> Pushed {
        if !self.context.admits() || self.pipe.is_gone() {
            return Pushed::Gone;
        }
        if !bytes.is_empty() {
            self.context.environment().meter(Cause::Connection, bill::Meter::Deliveries, 1);
            self.pipe.push(bytes, left_ms);
        }
        Pushed::Waiting(self.pipe.waiting_bytes.get())
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
        self.pass_on(bytes, self.context.environment().now_ms())
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
        self.0.next().await
    }

    /// When the last piece that was waited for had left the edge, in ms since the Unix epoch.
    pub fn left_ms(&self) -> u64 {
        self.0.taken_left_ms()
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
    use crate::world::network::Link;

    fn context(faults: Faults) -> Rc<Context> {
        Context::new(Rc::new(Environment::new(faults, Seeds::of(1), None)), Meter::default(), 1)
    }

    /// Runs `test` with both ends of a body.
    fn run<F: Future<Output = ()>>(faults: Faults, test: impl FnOnce(Download, AnswerBody) -> F) {
        rt::block_on(1, async move {
            let (edge, client) = download_of(context(faults));
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
                        let (edge, client) = download_of(context.clone());
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
