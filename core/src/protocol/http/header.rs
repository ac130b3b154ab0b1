//! Header names in lower case, as hosts hand them over and take them.

/// The protocol's and HTTP's header names.
macro_rules! header_names {
    ($($name:ident = $text:literal;)*) => {
        $(#[doc = concat!("`", $text, "`")] pub const $name: &str = $text;)*

        /// All of them.
        #[cfg(test)]
        pub(crate) const ALL: &[&str] = &[$($name),*];
    };
}

header_names! {
    ACCESS_CONTROL_ALLOW_HEADERS = "access-control-allow-headers";
    ACCESS_CONTROL_ALLOW_METHODS = "access-control-allow-methods";
    ACCESS_CONTROL_ALLOW_ORIGIN = "access-control-allow-origin";
    ACCESS_CONTROL_EXPOSE_HEADERS = "access-control-expose-headers";
    ACCESS_CONTROL_MAX_AGE = "access-control-max-age";
    AGE = "age";
    ALLOW = "allow";
    AUTHORIZATION = "authorization";
    CACHE_CONTROL = "cache-control";
    CF_CONNECTING_IP = "cf-connecting-ip";
    CONTENT_ENCODING = "content-encoding";
    CONTENT_LENGTH = "content-length";
    CONTENT_SECURITY_POLICY = "content-security-policy";
    CONTENT_TYPE = "content-type";
    CROSS_ORIGIN_RESOURCE_POLICY = "cross-origin-resource-policy";
    ETAG = "etag";
    IF_NONE_MATCH = "if-none-match";
    LAST_EVENT_ID = "last-event-id";
    LOCATION = "location";
    ORIGIN = "origin";
    PRODUCER_EPOCH = "producer-epoch";
    PRODUCER_EXPECTED_SEQ = "producer-expected-seq";
    PRODUCER_ID = "producer-id";
    PRODUCER_RECEIVED_SEQ = "producer-received-seq";
    PRODUCER_SEQ = "producer-seq";
    RETRY_AFTER = "retry-after";
    STREAM_CLOSED = "stream-closed";
    STREAM_CURSOR = "stream-cursor";
    STREAM_EXPIRES_AT = "stream-expires-at";
    STREAM_FORK_OFFSET = "stream-fork-offset";
    STREAM_FORK_SUB_OFFSET = "stream-fork-sub-offset";
    STREAM_FORKED_FROM = "stream-forked-from";
    STREAM_NEXT_OFFSET = "stream-next-offset";
    STREAM_READER_KEY = "stream-reader-key";
    STREAM_SEQ = "stream-seq";
    STREAM_SSE_DATA_ENCODING = "stream-sse-data-encoding";
    STREAM_TTL = "stream-ttl";
    STREAM_UP_TO_DATE = "stream-up-to-date";
    TAILRACE_AHEAD = "tailrace-ahead";
    TAILRACE_COLD = "tailrace-cold";
    TAILRACE_DEBUG = "tailrace-debug";
    TAILRACE_EVENT_REST = "tailrace-event-rest";
    TAILRACE_INSTANCE = "tailrace-instance";
    TAILRACE_KEPT = "tailrace-kept";
    TAILRACE_READERS = "tailrace-readers";
    TAILRACE_ROWS_READ = "tailrace-rows-read";
    TAILRACE_ROWS_WRITTEN = "tailrace-rows-written";
    VARY = "vary";
    WWW_AUTHENTICATE = "www-authenticate";
    X_ACCEL_BUFFERING = "x-accel-buffering";
    X_CACHE = "x-cache";
    X_CONTENT_TYPE_OPTIONS = "x-content-type-options";
}

/// The content security policy of answers with content of streams: if a browser shows it as a page, that page has an
/// origin of its own and runs no scripts.
pub const SANDBOX: &str = "sandbox";

/// The value of a header that is present or absent.
pub const TRUE: &str = "true";

/// Whether `Stream-Closed` is present: only exactly `true`, in any case, counts (protocol, section 4.1).
pub fn is_true(value: Option<&str>) -> bool {
    value.is_some_and(|value| value.eq_ignore_ascii_case(TRUE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_true_closes() {
        for (value, closed) in [
            (Some("true"), true),
            (Some("TRUE"), true),
            (Some("True"), true),
            (Some("false"), false),
            (Some("1"), false),
            (Some("yes"), false),
            (Some(""), false),
            (Some(" true"), false),
            (None, false),
        ] {
            assert_eq!(is_true(value), closed, "{value:?}");
        }
    }
}
