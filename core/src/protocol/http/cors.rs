//! What scripts of other origins may send and read (the Fetch standard, "CORS protocol").

use super::{CacheControl, Headers, Response, header};

/// The methods of a stream.
pub const STREAM_METHODS: &str = "GET, HEAD, PUT, POST, DELETE, OPTIONS";

/// The request headers that scripts of other origins may send: all that mean something here, and those by which a script's
/// library traces its requests (W3C, "Trace Context" and "Baggage").
pub const ALLOWED_HEADERS: &str = "Authorization, Baggage, Cache-Control, Content-Encoding, Content-Type, If-None-Match, \
                               Last-Event-ID, Producer-Epoch, Producer-Id, Producer-Seq, Stream-Closed, \
                               Stream-Expires-At, Stream-Fork-Offset, Stream-Fork-Sub-Offset, Stream-Forked-From, \
                               Stream-Seq, Stream-TTL, Tailrace-Debug, Traceparent, Tracestate";

/// The response headers that scripts of other origins may read: all that a client can be told, but those that browsers show
/// to every script anyway.
pub const EXPOSED_HEADERS: &str = "Age, Allow, Content-Security-Policy, Cross-Origin-Resource-Policy, ETag, Location, Producer-Epoch, \
     Producer-Expected-Seq, Producer-Received-Seq, Producer-Seq, Retry-After, Stream-Closed, Stream-Cursor, \
     Stream-Expires-At, Stream-Next-Offset, Stream-Reader-Key, Stream-SSE-Data-Encoding, Stream-TTL, Stream-Up-To-Date, \
     Tailrace-Cold, Tailrace-Instance, Tailrace-Rows-Read, Tailrace-Rows-Written, Vary, WWW-Authenticate, \
     X-Accel-Buffering, X-Cache, X-Content-Type-Options";

/// What browsers show to every script that may read an answer at all (the Fetch standard, "CORS-safelisted response-header
/// name").
const SAFELISTED: &[&str] = &[
    header::CACHE_CONTROL,
    "content-language",
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    "expires",
    "last-modified",
    "pragma",
];

/// Seconds for which a browser may remember a preflight. Our choice; browsers cap it themselves.
const PREFLIGHT_MAX_AGE_S: &str = "86400";

/// The answer to OPTIONS, less the common fields. It is the same for all origins: what depends on who asks is put on where
/// answers leave.
pub fn preflight() -> Response {
    Response::new(204)
        .with(header::CACHE_CONTROL, CacheControl::NoStore.to_string())
        .with(header::ACCESS_CONTROL_ALLOW_METHODS, STREAM_METHODS)
        .with(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS)
        .with(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE_S)
}

/// Whether a script that may read an answer with these fields can read each of them. What is told to browsers alone, by
/// this protocol itself, is left out.
pub fn can_read_all(fields: &Headers) -> bool {
    fields.iter().all(|(name, _)| {
        let is_exposed = || is_among(EXPOSED_HEADERS, name);
        SAFELISTED.contains(&name) || name.starts_with("access-control-") || is_exposed()
    })
}

fn is_among(list: &str, name: &str) -> bool {
    list.split(", ").any(|listed| listed.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What only requests have.
    const OF_REQUESTS: &[&str] = &[
        header::AUTHORIZATION,
        header::CF_CONNECTING_IP,
        header::CONTENT_ENCODING,
        header::IF_NONE_MATCH,
        header::LAST_EVENT_ID,
        header::ORIGIN,
        header::PRODUCER_ID,
        header::STREAM_FORK_OFFSET,
        header::STREAM_FORK_SUB_OFFSET,
        header::STREAM_FORKED_FROM,
        header::STREAM_SEQ,
        header::TAILRACE_DEBUG,
    ];

    /// What no client is told.
    const INTERNAL: &[&str] =
        &[header::TAILRACE_AHEAD, header::TAILRACE_EVENT_REST, header::TAILRACE_KEPT, header::TAILRACE_READERS];

    #[test]
    fn scripts_of_other_origins_may_read_every_header_that_tells_about_a_stream() {
        let of_clients = header::ALL.iter().filter(|name| !OF_REQUESTS.contains(name) && !INTERNAL.contains(name));
        for name in of_clients {
            let mut fields = Headers::default();
            fields.push(*name, "");
            assert!(can_read_all(&fields), "{name}");
        }
        for name in OF_REQUESTS.iter().chain(INTERNAL) {
            assert!(!is_among(EXPOSED_HEADERS, name), "{name}");
        }
    }
}
