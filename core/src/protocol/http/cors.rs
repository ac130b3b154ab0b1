//! What scripts of other origins may send and read (the Fetch standard, "CORS protocol"), and the fields that every
//! response carries.

use super::{CacheControl, Response, header};

/// The methods of a stream.
pub const STREAM_METHODS: &str = "GET, HEAD, PUT, POST, DELETE, OPTIONS";

/// The request headers that scripts of other origins may send: all of the protocol's, and those by which a script's
/// library traces its requests (W3C, "Trace Context" and "Baggage").
const ALLOWED_HEADERS: &str = "Authorization, Baggage, Cache-Control, Content-Type, If-None-Match, Last-Event-ID, \
                               Producer-Epoch, Producer-Id, Producer-Seq, Stream-Closed, Stream-Expires-At, \
                               Stream-Fork-Offset, Stream-Fork-Sub-Offset, Stream-Forked-From, Stream-Seq, \
                               Stream-TTL, Tailrace-Debug, Traceparent, Tracestate";

/// The response headers that scripts of other origins may read: all of the protocol's.
const EXPOSED_HEADERS: &str = "Age, ETag, Location, Producer-Epoch, Producer-Expected-Seq, Producer-Received-Seq, \
                               Producer-Seq, Retry-After, Stream-Closed, Stream-Cursor, Stream-Expires-At, \
                               Stream-Next-Offset, Stream-SSE-Data-Encoding, Stream-TTL, Stream-Up-To-Date, X-Cache";

/// Seconds for which a browser may remember a preflight. Our choice; browsers cap it themselves.
const PREFLIGHT_MAX_AGE_S: &str = "86400";

/// The answer to OPTIONS, less the common fields.
pub fn preflight() -> Response {
    Response::new(204)
        .with(header::CACHE_CONTROL, CacheControl::NoStore.to_string())
        .with(header::ACCESS_CONTROL_ALLOW_METHODS, STREAM_METHODS)
        .with(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS)
        .with(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE_S)
}

impl Response {
    /// Adds what every response carries, and what lets a browser's script of that origin read it.
    pub fn with_common(self, allow_origin: Option<&str>) -> Self {
        self.with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .with(header::CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin")
            .with_some(header::ACCESS_CONTROL_ALLOW_ORIGIN, allow_origin)
            .with_some(header::ACCESS_CONTROL_EXPOSE_HEADERS, allow_origin.map(|_| EXPOSED_HEADERS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_other_origins_may_send_every_header_that_means_something() {
        let preflight = preflight();
        let allowed = preflight.headers.get(header::ACCESS_CONTROL_ALLOW_HEADERS).unwrap_or_default();
        for name in [
            "authorization",
            "baggage",
            "traceparent",
            "tracestate",
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            header::LAST_EVENT_ID,
            header::PRODUCER_EPOCH,
            header::PRODUCER_ID,
            header::PRODUCER_SEQ,
            header::STREAM_CLOSED,
            header::STREAM_EXPIRES_AT,
            header::STREAM_FORK_OFFSET,
            header::STREAM_FORK_SUB_OFFSET,
            header::STREAM_FORKED_FROM,
            header::STREAM_SEQ,
            header::STREAM_TTL,
            header::TAILRACE_DEBUG,
        ] {
            assert!(allowed.split(", ").any(|allowed| allowed.eq_ignore_ascii_case(name)), "{name}");
        }
        let methods = preflight.headers.get(header::ACCESS_CONTROL_ALLOW_METHODS);
        assert_eq!(methods, Some("GET, HEAD, PUT, POST, DELETE, OPTIONS"));
    }

    #[test]
    fn scripts_of_other_origins_may_read_every_header_that_tells_about_a_stream() {
        for name in [
            header::ETAG,
            header::LOCATION,
            header::PRODUCER_EPOCH,
            header::PRODUCER_EXPECTED_SEQ,
            header::PRODUCER_RECEIVED_SEQ,
            header::PRODUCER_SEQ,
            header::RETRY_AFTER,
            header::STREAM_CLOSED,
            header::STREAM_CURSOR,
            header::STREAM_EXPIRES_AT,
            header::STREAM_NEXT_OFFSET,
            header::STREAM_SSE_DATA_ENCODING,
            header::STREAM_TTL,
            header::STREAM_UP_TO_DATE,
        ] {
            assert!(EXPOSED_HEADERS.split(", ").any(|exposed| exposed.eq_ignore_ascii_case(name)), "{name}");
        }
    }
}
