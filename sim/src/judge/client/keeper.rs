//! Creating, closing and deleting streams, and asking for their metadata.

use std::collections::BTreeMap;

use tailrace_core::protocol::Method;

use super::message::body;
use super::session::Session;
use super::wire::{Ask, content_type};
use crate::judge::history::{Call, Lifetime};
use crate::judge::scenario::Load;

/// How long an operator waits, in ms.
const INSPECTION_MS: u64 = 30_000;

impl Session {
    /// PUT is idempotent, so it is retried.
    pub(super) async fn create(
        &self,
        stream: usize,
        lifetime: Lifetime,
        (closes, public): (bool, bool),
        load: Option<Load>,
    ) {
        let lifetime = self.lifetime(lifetime);
        let content = self.content(stream);
        let batch = load.map(|load| self.batch(stream, load, None, None));
        let bytes = batch.map(|batch| body(content, &self.context.history.borrow().batches[batch].messages));
        let request = || {
            let ask = Ask::new(Method::Put, &self.context.url_path(stream))
                .with_public(public)
                .with("content-type", content_type(content))
                .with_lifetime(lifetime)
                .with_if(closes, "stream-closed", "true");
            match &bytes {
                Some(bytes) => ask.with_body(bytes.clone()).build(),
                None => ask.build(),
            }
        };
        let op = self.insist(stream, Call::Create { lifetime, closes, public, batch }, request).await;
        // Who finds the stream there, or whose first answer was lost, has to look for its reader key.
        let uses_keys = self.context.issuer.as_ref().is_some_and(|issuer| issuer.uses_reader_keys());
        if uses_keys && self.with_answer(op, |answer| answer.is_some_and(|answer| answer.status == 200)) {
            self.head(stream).await;
        }
    }

    /// DELETE is not retried: a second one would remove what was created since.
    pub(super) async fn delete(&self, stream: usize) {
        let request = Ask::new(Method::Delete, &self.context.url_path(stream)).build();
        self.ask(stream, Call::Delete, request).await;
    }

    pub(super) async fn close(&self, stream: usize) {
        let request = || Ask::new(Method::Post, &self.context.url_path(stream)).with("stream-closed", "true").build();
        self.insist(stream, Call::Append { batch: None, closes: true, defect: None }, request).await;
    }

    pub(super) async fn head(&self, stream: usize) {
        let request = Ask::new(Method::Head, &self.context.url_path(stream)).build();
        self.ask(stream, Call::Head, request).await;
    }

    /// Not retried: a second one would give the stream yet another key. Where no tokens are needed, no keys are.
    pub(super) async fn new_reader_key(&self, stream: usize) {
        if self.context.issuer.is_some() {
            let request = Ask::of_reader_key(self.context.tenancy(), stream).build();
            self.ask(stream, Call::NewReaderKey, request).await;
        }
    }

    /// What the service tells its operators about a stream's way to R2, by name; nothing of a stream that is not there.
    pub(crate) async fn cold_summary(&self, stream: usize) -> BTreeMap<String, u64> {
        let world = &self.context.world;
        let answer = match &self.context.issuer {
            None => {
                let ask = Ask::new(Method::Head, &self.context.url_path(stream)).with("tailrace-debug", "1");
                world.request(ask.build(), INSPECTION_MS).await.ok()
            }
            // Where tokens are needed the edge tells nobody about instances.
            Some(_) => world.inspect(&self.context.tenancy().object(stream), INSPECTION_MS).await,
        };
        let text = answer.as_ref().and_then(|answer| answer.headers.get("tailrace-cold")).unwrap_or_default();
        let fields = text.split("; ").filter_map(|field| field.split_once('='));
        fields.filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?))).collect()
    }
}
