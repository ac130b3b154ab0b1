//! Responses.

use std::borrow::Cow;

use bytes::Bytes;

use super::{CacheControl, Headers, header};
use crate::protocol::Refusal;

/// An answer to a client, or of an object to an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
    /// The body; empty where the status allows none.
    pub body: Bytes,
}

impl Response {
    /// A response without fields and body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Headers::default(), body: Bytes::new() }
    }

    /// Adds a field.
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Adds a field if there is a value.
    pub fn with_some(self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Sets the body.
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The answer to a refused request; never stored by a cache.
    pub fn refusal(refusal: &Refusal) -> Self {
        Self::new(refusal.code.status())
            .with(header::CACHE_CONTROL, CacheControl::NoStore.to_string())
            .with(header::CONTENT_TYPE, "application/json")
            .with_some(header::RETRY_AFTER, refusal.code.retry_after_s().map(|seconds| seconds.to_string()))
            .with_some(header::WWW_AUTHENTICATE, refusal.code.challenge())
            .with_body(refusal.to_json())
    }

    /// Adds what every answer says to browsers, whoever asks.
    pub fn with_common(self) -> Self {
        self.with(header::X_CONTENT_TYPE_OPTIONS, "nosniff").with(header::CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin")
    }

    /// The answer to HEAD: the fields alone.
    pub fn without_body(self) -> Self {
        Self { body: Bytes::new(), ..self }
    }
}
