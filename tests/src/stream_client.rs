//! A client of one stream in a simulated world.

use bytes::Bytes;
use tailrace_core::protocol::{Headers, Method, Response};
use tailrace_sim::tailrace::World;
use tailrace_sim::world::{Opened, Request, RequestBody};

/// Header fields of a request.
pub type Fields<'a> = &'a [(&'static str, &'a str)];

/// A client of one stream.
pub struct StreamClient {
    /// The stream's path after `/v1/stream/`.
    pub path: &'static str,
    /// Header fields of every request.
    pub fields: Fields<'static>,
    /// How long it waits for an answer, in ms.
    pub patience_ms: u64,
}

impl StreamClient {
    /// A request. The query is empty or begins with `?`; an empty body is no body.
    pub fn request(&self, method: Method, query: &str, fields: Fields<'_>, body: impl Into<Bytes>) -> Request {
        let mut headers = Headers::default();
        for (name, value) in self.fields.iter().chain(fields) {
            headers.push(*name, *value);
        }
        let body: Bytes = body.into();
        let body = RequestBody::of(body);
        Request { method, url: format!("https://tailrace.test/v1/stream/{}{query}", self.path), headers, body }
    }

    /// Sends a request, and returns the whole answer.
    pub async fn ask(
        &self,
        world: &World,
        method: Method,
        query: &str,
        fields: Fields<'_>,
        body: impl Into<Bytes>,
    ) -> Response {
        let request = self.request(method, query, fields, body);
        world.request(request, self.patience_ms).await.expect("an answer")
    }

    /// Sends a GET, and returns the answer, or its head and a body that is written piece by piece.
    pub async fn open(&self, world: &World, query: &str) -> Opened {
        let request = self.request(Method::Get, query, &[], "");
        world.open(world.number(), request, self.patience_ms).await.expect("an answer")
    }
}
