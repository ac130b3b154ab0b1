//! What both ends of an answer's body share: what waits for the client, and what becomes of it on the client network.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;

use crate::kernel::rt;
use crate::world::edge::context::Context;
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
pub(super) struct Pipe {
    environment: Rc<Environment>,
    /// The request's number.
    number: u64,
    /// Bytes written and not yet read.
    pub(super) waiting_bytes: Cell<usize>,
    load: Load,
    /// Each with when it left the edge, in ms since the Unix epoch.
    arrived: RefCell<VecDeque<(Piece, u64)>>,
    /// When what was taken last had left the edge.
    taken_left_ms: Cell<u64>,
    /// When the last piece so far arrives at the client, in ms since the Unix epoch.
    arrives_ms: Cell<u64>,
    /// Whether nothing more arrives: the answer is complete, or its connection broke, or died without anybody noticing.
    pub(super) is_over: Cell<bool>,
    /// Whether the isolate has dropped what the client has not read. What has arrived is the client's.
    is_dropped: Cell<bool>,
    /// When the edge can notice that the client is gone, in ms since the Unix epoch; `None` if the client is there.
    gone_ms: Cell<Option<u64>>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

impl Pipe {
    /// One with nothing in it, for this request.
    pub(super) fn new(context: &Context) -> Self {
        Self {
            environment: context.environment().clone(),
            number: context.number(),
            waiting_bytes: Cell::default(),
            load: context.memory().load(What::Client, 0),
            arrived: RefCell::default(),
            taken_left_ms: Cell::default(),
            arrives_ms: Cell::default(),
            is_over: Cell::default(),
            is_dropped: Cell::default(),
            gone_ms: Cell::default(),
            reader: RefCell::default(),
            writer: RefCell::default(),
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone_ms.get().is_some_and(|gone_ms| gone_ms <= self.environment.now_ms())
    }

    /// The client goes away. The edge can notice after the latency of one way.
    pub(super) fn lose_client(self: &Rc<Self>) {
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

    /// Sends bytes that left the edge at `left_ms`, in ms since the Unix epoch.
    pub(super) fn push(self: &Rc<Self>, bytes: Bytes, left_ms: u64) {
        self.waiting_bytes.set(self.waiting_bytes.get() + bytes.len());
        self.load.set(self.waiting_bytes.get());
        let pause = self.environment.faults().edge.answer_pause;
        for (number, piece) in self.in_pieces(bytes).into_iter().enumerate() {
            let pause_ms = if number == 0 { 0 } else { self.environment.draw_ms(pause) };
            self.put_out(piece, pause_ms, left_ms);
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
    fn put_out(self: &Rc<Self>, piece: Piece, pause_ms: u64, left_ms: u64) {
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
            self.travel(piece, pause_ms, left_ms);
        }
    }

    /// Breaks the connection from the edge's side: nothing that the client has not read is in the isolate any more.
    pub(super) fn cut(self: &Rc<Self>) {
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
    pub(super) fn finish(self: &Rc<Self>, last: Piece) {
        if !self.is_over.replace(true) {
            self.travel(last, 0, self.environment.now_ms());
        }
    }

    /// Sends a piece on its way, so long after those sent before.
    fn travel(self: &Rc<Self>, piece: Piece, pause_ms: u64, left_ms: u64) {
        let environment = &self.environment;
        let now_ms = environment.now_ms();
        let latency_ms = latency_ms(environment, environment.faults().network.client_link);
        if latency_ms >= SLOW_MS {
            environment.harm(Harm::ClientMessageSlow, Some(self.number));
        }
        self.arrives_ms.set(self.arrives_ms.get().max(now_ms + latency_ms) + pause_ms);
        if self.arrives_ms.get() == now_ms {
            return self.arrive(piece, left_ms);
        }
        let wait_ms = self.arrives_ms.get() - now_ms;
        // Two pieces that arrive in the same millisecond keep their order by a step of their own.
        self.arrives_ms.set(self.arrives_ms.get() + 1);
        let pipe = self.clone();
        environment.node.spawn(async move {
            rt::sleep_ms(wait_ms).await;
            pipe.arrive(piece, left_ms);
        });
    }

    fn arrive(&self, piece: Piece, left_ms: u64) {
        self.arrived.borrow_mut().push_back((piece, left_ms));
        wake(&self.reader);
    }

    /// Waits for the next piece, and takes it.
    pub(super) async fn next(&self) -> Piece {
        poll_fn(|context| match self.take() {
            Some(piece) => Poll::Ready(piece),
            None => {
                *self.reader.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    fn take(&self) -> Option<Piece> {
        let (piece, left_ms) = self.arrived.borrow_mut().pop_front()?;
        self.taken_left_ms.set(left_ms);
        if let Piece::Bytes(bytes) | Piece::Part(bytes) = &piece
            && !self.is_dropped.get()
        {
            self.waiting_bytes.set(self.waiting_bytes.get() - bytes.len());
            self.load.set(self.waiting_bytes.get());
            wake(&self.writer);
        }
        Some(piece)
    }

    /// When the piece that was taken last had left the edge, in ms since the Unix epoch.
    pub(super) fn taken_left_ms(&self) -> u64 {
        self.taken_left_ms.get()
    }

    /// Waits until at most this many bytes wait for the client, or it is gone.
    pub(super) async fn drained(&self, buffer_bytes: usize) {
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
