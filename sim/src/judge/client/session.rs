//! One client: its memory, and how it asks.

use std::collections::BTreeMap;
use std::rc::Rc;

use tailrace_core::protocol::Method;

use super::browser::ClientBrowser;
use super::context::ClientContext;
use super::memory::{Following, Producing, Reading};
use super::message::{body, messages};
use super::wire::{Ask, content_type};
use crate::judge::history::{Call, ClientAnswer, Content, Lifetime, SentBatch, Stamp};
use crate::judge::scenario::Load;
use crate::kernel::rt;
use crate::world::Request;

/// How often a client asks before it gives up.
pub(super) const ATTEMPTS: u64 = 5;

/// A client.
pub(crate) struct Session {
    pub(super) context: Rc<ClientContext>,
    pub(super) client: usize,
    pub(super) producing: BTreeMap<usize, Producing>,
    pub(super) reading: BTreeMap<usize, Reading>,
    pub(super) following: BTreeMap<usize, Following>,
    pub(super) browser: ClientBrowser,
}

impl Session {
    pub(crate) fn new(context: Rc<ClientContext>, client: usize) -> Self {
        Self {
            browser: ClientBrowser::new(context.clone(), client),
            context,
            client,
            producing: BTreeMap::new(),
            reading: BTreeMap::new(),
            following: BTreeMap::new(),
        }
    }

    pub(super) fn content(&self, stream: usize) -> Content {
        self.context.history.borrow().streams[stream].content
    }

    pub(super) fn next_walk(&self) -> usize {
        self.context.next_walk()
    }

    /// A lifetime as a creation asks for it: an instant counts from the start of the run, but 0 is the Unix epoch.
    pub(super) fn lifetime(&self, lifetime: Lifetime) -> Lifetime {
        match lifetime {
            Lifetime::Until(ms @ 1..) => Lifetime::Until(self.context.start_ms + ms),
            _ => lifetime,
        }
    }

    /// Writes a batch down; answers its number.
    pub(super) fn batch(&self, stream: usize, load: Load, stamp: Option<Stamp>, stream_seq: Option<String>) -> usize {
        let mut history = self.context.history.borrow_mut();
        let number = history.batches.len();
        let content = history.streams[stream].content;
        let messages = messages(content, stream, number, stamp.as_ref(), load.count.max(1), load.pad_bytes);
        history.batches.push(SentBatch { stream, messages, stamp, stream_seq });
        number
    }

    /// A POST of a batch, as it should be.
    pub(super) fn post(&self, stream: usize, batch: usize, closes: bool) -> Ask {
        let history = self.context.history.borrow();
        let (content, batch) = (history.streams[stream].content, &history.batches[batch]);
        let ask = Ask::new(Method::Post, &self.context.url_path(stream))
            .with("content-type", content_type(content))
            .with_stamp(batch.stamp.as_ref())
            .with_if(closes, "stream-closed", "true")
            .with_body(body(content, &batch.messages));
        match &batch.stream_seq {
            Some(seq) => ask.with("stream-seq", seq.clone()),
            None => ask,
        }
    }

    pub(super) fn body_bytes(&self) -> usize {
        self.context.body_bytes
    }

    /// Asks once, and writes down what came of it; answers the request's number in the history.
    pub(super) async fn ask(&self, stream: usize, call: Call, request: Request) -> usize {
        self.context.ask(self.client, stream, call, request, 0).await
    }

    /// Asks until there is a definite answer, a few times at most. A client whose token has expired asks with another one.
    pub(super) async fn insist(&self, stream: usize, call: Call, request: impl Fn() -> Request) -> usize {
        let mut attempt = 1;
        loop {
            let op = self.ask(stream, call.clone(), request()).await;
            if attempt == ATTEMPTS || self.with_answer(op, |answer| answer.is_some_and(|answer| answer.status != 401)) {
                return op;
            }
            rt::sleep_ms(back_off_ms(attempt)).await;
            attempt += 1;
        }
    }

    /// Looks at a definite answer.
    pub(super) fn with_answer<T>(&self, op: usize, look: impl FnOnce(Option<&ClientAnswer>) -> T) -> T {
        look(self.context.history.borrow().ops[op].definite())
    }
}

/// How long to wait after that many attempts, in ms.
pub(super) fn back_off_ms(attempt: u64) -> u64 {
    20 << attempt
}
