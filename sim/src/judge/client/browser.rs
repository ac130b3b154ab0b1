//! How a client asks by way of its browser's cache.

use std::cell::RefCell;
use std::rc::Rc;

use super::context::ClientContext;
use super::session::Session;
use crate::front::{Browser, Control, Head, Look};
use crate::judge::history::{Call, ClientAnswer};
use crate::world::Request;

impl Session {
    /// Asks by way of the browser's cache. Returns the request whose answer the client has.
    pub(super) async fn ask_browser(
        &self,
        stream: usize,
        call: impl Fn(Option<usize>) -> Call,
        request: impl Fn(Option<&str>) -> Request,
    ) -> usize {
        let url = request(None).url;
        let look = self.browser.borrow().look(self.context.world.now_ms() * 1_000, &url);
        let asks = |known: Option<(usize, Option<Rc<str>>)>| {
            let (revalidates, tag) = known.map_or((None, None), |(op, tag)| (tag.is_some().then_some(op), tag));
            (call(revalidates), request(tag.as_deref()))
        };
        match look {
            Look::Fresh(op) => self.hand_out(stream, call(None), op),
            Look::Stale(op, tag) => {
                let (context, client, browser) = (self.context.clone(), self.client, self.browser.clone());
                let (call_again, request_again) = asks(Some((op, tag)));
                let handed_out = self.hand_out(stream, call(None), op);
                self.context.run_along(async move {
                    fetch(&context, client, stream, call_again, request_again, &browser, &url).await;
                });
                handed_out
            }
            Look::Revalidate(op, tag) => {
                let (call, request) = asks(Some((op, Some(tag))));
                fetch(&self.context, self.client, stream, call, request, &self.browser, &url).await
            }
            Look::Nothing => {
                let (call, request) = asks(None);
                fetch(&self.context, self.client, stream, call, request, &self.browser, &url).await
            }
        }
    }

    /// Writes down that the browser had the answer.
    fn hand_out(&self, stream: usize, call: Call, from: usize) -> usize {
        let now_ms = self.context.world.now_ms();
        let (op, ..) = self.context.invoke(self.client, stream, call);
        let mut history = self.context.history.borrow_mut();
        let kept = history.ops[from].definite().cloned();
        let answer = kept.map(|answer| ClientAnswer { from_browser: Some(from), ..answer });
        history.complete(op, answer, now_ms);
        op
    }
}

async fn fetch(
    context: &ClientContext,
    client: usize,
    stream: usize,
    call: Call,
    request: Request,
    browser: &RefCell<Browser<String, usize>>,
    url: &String,
) -> usize {
    let asked_ms = context.world.now_ms();
    let op = context.ask(client, stream, call, request, 0).await;
    let history = context.history.borrow();
    let head = history.ops[op].definite().map(head);
    browser.borrow_mut().take(asked_ms * 1_000, url, head.as_ref().map(|head| (head, op)));
    op
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
