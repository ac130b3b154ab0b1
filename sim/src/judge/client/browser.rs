//! How a client asks by way of its browser's cache, which all its pages share.

use std::cell::RefCell;
use std::rc::Rc;

use super::context::ClientContext;
use crate::front::{Browser, Control, Head, Look};
use crate::judge::history::{Call, ClientAnswer};
use crate::world::Request;

/// A client's browser. Its cache keeps indices of the history's operations.
#[derive(Clone)]
pub(super) struct ClientBrowser {
    context: Rc<ClientContext>,
    client: usize,
    cache: Rc<RefCell<Browser<String, usize>>>,
}

impl ClientBrowser {
    pub(super) fn new(context: Rc<ClientContext>, client: usize) -> Self {
        Self { context, client, cache: Rc::default() }
    }

    /// Asks by way of the cache, and waits that long at least for what the service is asked for. Returns the request
    /// whose answer the client has. `call` is told the request whose answer is asked for again, and `request` its tag.
    pub(super) async fn ask(
        &self,
        stream: usize,
        at_least_ms: u64,
        call: impl Fn(Option<usize>) -> Call,
        request: impl Fn(Option<&str>) -> Request,
    ) -> usize {
        let url = request(None).url;
        let look = self.cache.borrow().look(self.context.world.now_ms() * 1_000, &url);
        let asks = |known: Option<(usize, Option<Rc<str>>)>| {
            let (revalidates, tag) = known.map_or((None, None), |(op, tag)| (tag.is_some().then_some(op), tag));
            (call(revalidates), request(tag.as_deref()))
        };
        match look {
            Look::Fresh(op) => self.hand_out(stream, call(None), op),
            Look::Stale(op, tag) => {
                let (browser, again) = (self.clone(), asks(Some((op, tag))));
                let handed_out = self.hand_out(stream, call(None), op);
                self.context.run_along(async move {
                    browser.fetch(stream, at_least_ms, again, url).await;
                });
                handed_out
            }
            Look::Revalidate(op, tag) => self.fetch(stream, at_least_ms, asks(Some((op, Some(tag)))), url).await,
            Look::Nothing => self.fetch(stream, at_least_ms, asks(None), url).await,
        }
    }

    /// Writes down that the cache had the answer.
    fn hand_out(&self, stream: usize, call: Call, from: usize) -> usize {
        let now_ms = self.context.world.now_ms();
        let (op, ..) = self.context.invoke(self.client, stream, call);
        let mut history = self.context.history.borrow_mut();
        let kept = history.ops[from].definite().cloned();
        let answer = kept.map(|answer| ClientAnswer { from_browser: Some(from), ..answer });
        history.complete(op, answer, now_ms);
        op
    }

    async fn fetch(&self, stream: usize, at_least_ms: u64, (call, request): (Call, Request), url: String) -> usize {
        let asked_ms = self.context.world.now_ms();
        let op = self.context.ask(self.client, stream, call, request, at_least_ms).await;
        let history = self.context.history.borrow();
        let head = history.ops[op].definite().map(head);
        self.cache.borrow_mut().take(asked_ms * 1_000, &url, head.as_ref().map(|head| (head, op)));
        op
    }
}

/// What a cache goes by.
fn head(answer: &ClientAnswer) -> Head {
    Head {
        status: answer.status,
        control: Control::parse(answer.cache_control.as_deref().unwrap_or_default()),
        age_s: answer.age_s.unwrap_or(0),
        tag: answer.etag.as_deref().map(Rc::from),
        ..Head::default()
    }
}
