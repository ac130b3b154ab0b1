//! A client of one stream in a simulated world.

use bytes::Bytes;
use tailrace_core::protocol::{Headers, Method, Response};
use tailrace_sim::tailrace::World;
use tailrace_sim::world::{Opened, Request, RequestBody};

/// Header fields of a request.
pub type Fields<'a> = &'a [(&'static str, &'a str)];

/// Whom a test asks, and how.
pub struct StreamClient {
    /// The stream's path after `/v1/stream/`.
    pub path: &'static str,
    /// Fields that every request carries.
    pub fields: Fields<'static>,
    /// How long it waits for an answer, in ms.
    pub patience_ms: u64,
}

impl StreamClient {
    /// A request; the query begins with `?` where there is one, and an empty body is none.
    pub fn request(&self, method: Method, query: &str, fields: Fields<'_>, body: impl Into<Bytes>) -> Request {
        let mut headers = Headers::default();
        for (name, value) in self.fields.iter().chain(fields) {
            headers.push(*name, *value);
        }
        let body: Bytes = body.into();
        let body = RequestBody::of(body);
        Request { method, url: format!("https://tailrace.test/v1/stream/{}{query}", self.path), headers, body }
    }

    /// The answer to a request, whole.
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

    /// The answer to a GET, or its head and the body that goes on.
    pub async fn open(&self, world: &World, query: &str) -> Opened {
        let request = self.request(Method::Get, query, &[], "");
        world.open(request, self.patience_ms).await.expect("an answer")
    }
}
