//! Every way to refuse a request: a stable code for programs, a status, and a sentence for people.

use std::borrow::Cow;

/// Why a request is refused. The name is stable: clients may match on it.
macro_rules! error_codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $status:literal, $name:literal;)*) => {
        /// Why a request is refused; each has one status and one stable name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorCode {
            $($(#[doc = $doc])* $variant,)*
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The HTTP status it is answered with.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The stable name, as in `{"error":{"code":…}}`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

/// After how many seconds clients may try again, unless the code says otherwise. Our choice: an object is back within a
/// moment, and what a full stream waits for takes longer. A limit counts for a minute at most.
const RETRY_AFTER_TOO_OFTEN_S: u64 = 60;
const RETRY_AFTER_UNAVAILABLE_S: u64 = 1;
const RETRY_AFTER_FULL_S: u64 = 60;

impl ErrorCode {
    /// After how many seconds the client may try again; every 429, 503 and 507 says so.
    pub fn retry_after_s(self) -> Option<u64> {
        match self.status() {
            429 => Some(RETRY_AFTER_TOO_OFTEN_S),
            503 => Some(RETRY_AFTER_UNAVAILABLE_S),
            507 => Some(RETRY_AFTER_FULL_S),
            _ => None,
        }
    }

    /// What every 401 says of the token that it wants (RFC 6750, section 3).
    pub fn challenge(self) -> Option<&'static str> {
        match self {
            Self::TokenMissing => Some(r#"Bearer realm="tailrace""#),
            Self::TokenInvalid | Self::TokenExpired => Some(r#"Bearer realm="tailrace", error="invalid_token""#),
            _ => None,
        }
    }
}

error_codes! {
    /// The path is no stream path: too long, no UTF-8, or with segments or characters that no path may have.
    InvalidPath = 400, "invalid_path";
    /// The project id is malformed or reserved.
    InvalidProject = 400, "invalid_project";
    /// The query is malformed, or a parameter is repeated.
    InvalidQuery = 400, "invalid_query";
    /// The offset is malformed, or beyond the tail.
    InvalidOffset = 400, "invalid_offset";
    /// The cursor is no decimal, or more than a day ahead of the clock.
    InvalidCursor = 400, "invalid_cursor";
    /// `live` is neither `long-poll` nor `sse`, or lacks an offset.
    InvalidLive = 400, "invalid_live";
    /// `Content-Type` is missing, malformed or too long.
    InvalidContentType = 400, "invalid_content_type";
    /// `Stream-TTL` is no canonical decimal, or too large.
    InvalidTtl = 400, "invalid_ttl";
    /// `Stream-Expires-At` is no RFC 3339 instant.
    InvalidExpiresAt = 400, "invalid_expires_at";
    /// Both `Stream-TTL` and `Stream-Expires-At`.
    ConflictingExpiry = 400, "conflicting_expiry";
    /// Producer headers are incomplete or malformed.
    InvalidProducer = 400, "invalid_producer";
    /// A new epoch does not start at sequence 0.
    EpochMustStartAtZero = 400, "epoch_must_start_at_zero";
    /// `Stream-Seq` is empty, too long, or no visible ASCII.
    InvalidStreamSeq = 400, "invalid_stream_seq";
    /// The headers that ask for a fork are malformed.
    InvalidFork = 400, "invalid_fork";
    /// An append without a body that does not close.
    EmptyBody = 400, "empty_body";
    /// The body broke off, or its chunks are malformed; nothing was applied.
    InvalidBody = 400, "invalid_body";
    /// A JSON append of an empty array.
    EmptyArray = 400, "empty_array";
    /// An origin is not as browsers write it, or there are too many.
    InvalidOrigin = 400, "invalid_origin";
    /// The body is not JSON, not UTF-8, or nested too deep.
    InvalidJson = 400, "invalid_json";
    /// The request carries several tokens, or one in several places.
    TokenAmbiguous = 400, "token_ambiguous";
    /// The request carries no token.
    TokenMissing = 401, "token_missing";
    /// The token is malformed, is signed by no key of the service, or is not valid yet.
    TokenInvalid = 401, "token_invalid";
    /// The token's time is over.
    TokenExpired = 401, "token_expired";
    /// The token's scope is too narrow for the method.
    ScopeInsufficient = 403, "scope_insufficient";
    /// The token is for other streams.
    StreamNotGranted = 403, "stream_not_granted";
    /// The token is for another project.
    ProjectNotGranted = 403, "project_not_granted";
    /// The producer's epoch is older than the one that the stream knows.
    StaleEpoch = 403, "stale_epoch";
    /// There is nothing at this URL.
    UnknownRoute = 404, "unknown_route";
    /// There is no stream at this URL.
    StreamNotFound = 404, "stream_not_found";
    /// There is no project of that name.
    ProjectNotFound = 404, "project_not_found";
    /// The project has no key of that id.
    KeyNotFound = 404, "key_not_found";
    /// The route does not know the method.
    MethodNotAllowed = 405, "method_not_allowed";
    /// A stream with another configuration is at this URL.
    ConfigurationConflict = 409, "configuration_conflict";
    /// It is the project's last key.
    LastKey = 409, "last_key";
    /// The project has as many keys as it may.
    TooManyKeys = 409, "too_many_keys";
    /// The stream is closed.
    StreamClosed = 409, "stream_closed";
    /// The content type is not the stream's.
    ContentTypeMismatch = 409, "content_type_mismatch";
    /// The producer skipped a sequence number.
    SequenceGap = 409, "sequence_gap";
    /// `Stream-Seq` is not above the last one.
    StreamSeqRegression = 409, "stream_seq_regression";
    /// The offset belongs to data that is gone, or to an earlier stream at this URL.
    OffsetGone = 410, "offset_gone";
    /// The body is larger than the limit.
    BodyTooLarge = 413, "body_too_large";
    /// `Content-Encoding` is something else than `identity`: content is stored as it was sent.
    UnsupportedContentEncoding = 415, "unsupported_content_encoding";
    /// The client does this more often than the deployment allows. Nothing was applied.
    RateLimited = 429, "rate_limited";
    /// A fault of the service; operators find the cause in their logs.
    Internal = 500, "internal_error";
    /// The instance that worked on the request was lost; whether the request was applied is unknown.
    InstanceLost = 500, "instance_lost";
    /// The deployment is configured wrongly; operators find the variable in their logs.
    Misconfigured = 500, "misconfigured";
    /// Neither authentication nor the explicit no-auth mode is configured.
    AuthNotConfigured = 500, "auth_not_configured";
    /// The storage failed; nothing was changed.
    StorageFailed = 500, "storage_failed";
    /// A segment's object in R2 is missing or was changed.
    SegmentDamaged = 500, "segment_damaged";
    /// A part of the protocol that this server does not offer.
    NotImplemented = 501, "not_implemented";
    /// The stream's object could not be reached; whether the request was applied is unknown.
    ObjectUnavailable = 503, "object_unavailable";
    /// The stream's object has more to do than it can hold; nothing was applied.
    ObjectOverloaded = 503, "object_overloaded";
    /// The isolate holds as many bytes of request bodies as it may. Nothing was applied.
    Busy = 503, "busy";
    /// Edge and object are of different releases, while one is being deployed. Nothing was applied.
    DeployUnderWay = 503, "deploy_under_way";
    /// The segment's object in R2 could not be read; nothing is lost.
    ColdStorageUnavailable = 503, "cold_storage_unavailable";
    /// What is known of the project could not be read, or not be published.
    RegistryUnavailable = 503, "registry_unavailable";
    /// The hot log, or the database, is as large as it may be; it shrinks once R2 takes segments again. Nothing was
    /// applied.
    StorageFull = 507, "storage_full";
    /// The stream keeps as many producers as it may, and found none whose place could be taken. Nothing was applied.
    TooManyProducers = 507, "too_many_producers";
    /// The stream has as many segments as offsets can count.
    StreamFull = 507, "stream_full";
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why, for programs.
    pub code: ErrorCode,
    /// Why, for people. Never holds what an operator alone should see.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with this sentence.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    /// That of a request without a token, whatever is at the URL.
    pub fn no_token() -> Self {
        Self::new(ErrorCode::TokenMissing, "the request has no token")
    }

    /// The body of the answer: `{"error":{"code":…,"message":…}}`.
    pub fn to_json(&self) -> String {
        // A code needs no escape.
        let message = serde_json::Value::from(&*self.message);
        format!(r#"{{"error":{{"code":"{}","message":{message}}}}}"#, self.code.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_statuses_are_errors() {
        let mut names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorCode::ALL.len());
        assert!(ErrorCode::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }

    #[test]
    fn every_429_503_and_507_says_when_to_try_again_and_nothing_else_does() {
        for code in ErrorCode::ALL {
            let told = crate::protocol::Response::refusal(&Refusal::new(*code, "")).headers;
            let seconds =
                told.get(crate::protocol::header::RETRY_AFTER).map(|text| text.parse::<u64>().expect("seconds"));
            assert_eq!(
                seconds.is_some_and(|seconds| seconds > 0),
                [429, 503, 507].contains(&code.status()),
                "{code:?}"
            );
        }
    }

    #[test]
    fn every_401_says_what_token_it_wants_and_nothing_else_does() {
        for code in ErrorCode::ALL {
            let told = crate::protocol::Response::refusal(&Refusal::new(*code, "")).headers;
            let challenge = told.get(crate::protocol::header::WWW_AUTHENTICATE);
            let is_bearer = challenge.is_some_and(|challenge| challenge.starts_with("Bearer realm=\"tailrace\""));
            assert_eq!(is_bearer, code.status() == 401, "{code:?}");
        }
    }

    #[test]
    fn the_body_is_json_whatever_the_message_holds() {
        let refusal = Refusal::new(ErrorCode::InvalidPath, "a \"quoted\"\nword");
        let expected = r#"{"error":{"code":"invalid_path","message":"a \"quoted\"\nword"}}"#;
        assert_eq!(refusal.to_json(), expected);
    }
}
