//! Creating, closing and deleting streams, and asking for their metadata.

use tailrace_core::runtime::Method;

use super::message::body;
use super::session::Session;
use super::wire::{Ask, content_type};
use crate::history::{Call, Lifetime};
use crate::scenario::{Load, Scenario};

impl Session {
    /// PUT is idempotent, so it is retried.
    pub(super) async fn create(&self, stream: usize, lifetime: Lifetime, closes: bool, load: Option<Load>) {
        let lifetime = self.lifetime(lifetime);
        let content = self.content(stream);
        let batch = load.map(|load| self.batch(stream, load, None, None));
        let bytes = batch.map(|batch| body(content, &self.crowd.history.borrow().batches[batch].messages));
        let request = || {
            let ask = Ask::new(Method::Put, &Scenario::path(stream))
                .with("content-type", content_type(content))
                .with_lifetime(lifetime)
                .with_if(closes, "stream-closed", "true");
            match &bytes {
                Some(bytes) => ask.with_body(bytes.clone()).build(),
                None => ask.build(),
            }
        };
        self.insist(stream, Call::Create { lifetime, closes, batch }, request).await;
    }

    /// DELETE is not retried: a second one would remove what was created since.
    pub(super) async fn delete(&self, stream: usize) {
        let request = Ask::new(Method::Delete, &Scenario::path(stream)).build();
        self.ask(stream, Call::Delete, request).await;
    }

    pub(super) async fn close(&self, stream: usize) {
        let request = || Ask::new(Method::Post, &Scenario::path(stream)).with("stream-closed", "true").build();
        self.insist(stream, Call::Append { batch: None, closes: true, defect: None }, request).await;
    }

    pub(super) async fn head(&self, stream: usize) {
        let request = Ask::new(Method::Head, &Scenario::path(stream)).build();
        self.ask(stream, Call::Head, request).await;
    }
}
