//! A request for a stream, and the message to its object.

use super::access::{self, Grant, is_root, is_shown};
use super::cached::Caching;
use super::config::{Access, EdgeConfig, Registry};
use super::live::LiveRead;
use super::routed::{Forward, Routed};
use super::{gateway, long_poll};
use crate::mutant::mutated;
use crate::protocol::field_value::is_token;
use crate::protocol::limits::{IF_NONE_MATCH_LIMIT, MAX_INTEGER};
use crate::protocol::message::{Append, Create, Fork, Live, Message, Operation, Read};
use crate::protocol::path::{ObjectName, StreamTarget};
use crate::protocol::percent::{self, encode_path};
use crate::protocol::query::Query;
use crate::protocol::{
    Admission, ContentType, ErrorCode, Expiry, ForkRequest, Headers, Method, Offset, ProducerStamp, ReadFrom, Refusal,
    cursor, header,
};

/// What the paths of streams begin with.
pub(super) const STREAM_ROUTE: &str = "/v1/stream/";

/// The parameter of a URL that holds a reader key.
pub(super) const READER_KEY: &str = "rk";

/// How a request has come to the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// From a client.
    Outer {
        /// For how long it has been served, in ms.
        age_ms: u64,
    },
    /// From a gateway, which has checked what its client may do, and the cursor: the gateway's clock may be ahead.
    Inner,
}

/// A request for a stream.
pub(super) struct StreamRequest<'a> {
    pub(super) config: &'a EdgeConfig,
    pub(super) method: Method,
    pub(super) origin: &'a str,
    /// As it was sent.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a Headers,
    pub(super) entrance: Entrance,
}

impl StreamRequest<'_> {
    /// Where it goes; `stream_path` is the path after the stream route.
    pub(super) fn routed(&self, stream_path: &str, now_ms: impl Fn() -> u64) -> Result<Routed, Refusal> {
        let target = StreamTarget::parse(self.config.projects, stream_path)?;
        let StreamTarget::Stream(stream) = target else {
            self.client(&now_ms, Strangers::Refused, |_| Ok(()))?;
            return Err(control_apis());
        };
        let (object, operation) = match self.method {
            Method::Put => self.create(stream.clone())?,
            Method::Post => (stream.clone(), Operation::Append(self.append()?)),
            Method::Get => (stream.clone(), Operation::Read(self.read(&now_ms)?)),
            Method::Head => (stream.clone(), Operation::Head),
            _ => (stream.clone(), Operation::Delete),
        };
        let strangers = match self.method {
            Method::Get | Method::Head => Strangers::Admitted,
            _ => Strangers::Refused,
        };
        let client = self.client(&now_ms, strangers, |grant| {
            grant.admit(self.method, &stream)?;
            // A fork tells what is in its source.
            if object != stream { grant.admit(Method::Get, &object) } else { Ok(()) }
        })?;
        let Client { admission, until_ms, .. } = client;
        let takes_body = matches!(operation, Operation::Create(_) | Operation::Append(_));
        let (object, debug) = (object.as_str().to_owned(), self.is_debugged(&client));
        let (mut caching, mut inner_url) = (None, None);
        let operation = match operation {
            Operation::Read(mut read) => {
                caching = self.caching(&object, debug, &read, admission);
                read.is_kept = caching.is_some();
                if !self.is_cut(&read, until_ms, now_ms) {
                    inner_url = self.inner_url(stream_path, debug, &read, admission);
                }
                match read.live {
                    Some(mode) => {
                        let resumes = mode == Live::Sse && self.last_event_id().is_some();
                        let live =
                            LiveRead { object, admission, debug, mode, read, until_ms, resumes, caching, inner_url };
                        return Ok(Routed::Live(live));
                    }
                    None => Operation::Read(read),
                }
            }
            other => other,
        };
        let body_encoded = takes_body && self.has_encoded_body();
        let message = Message { admission, debug, body_too_large: false, body_encoded, operation };
        let body_limit = self.config.body_limit;
        Ok(Routed::Forward(Forward { object, message, takes_body, body_limit, caching, inner_url }))
    }

    /// Where a request for a new reader key goes; `stream_path` is the path after the route, with the project before it in
    /// multi-project mode.
    pub(super) fn routed_to_reader_key(&self, stream_path: &str, now_ms: impl Fn() -> u64) -> Result<Routed, Refusal> {
        let stream = self.object(stream_path)?;
        let client = self.manager(&stream, now_ms)?;
        let operation = Operation::RotateReaderKey;
        let (admission, debug) = (client.admission, self.is_debugged(&client));
        let message = Message { admission, debug, body_too_large: false, body_encoded: false, operation };
        let (object, body_limit) = (stream.as_str().to_owned(), self.config.body_limit);
        let (takes_body, caching, inner_url) = (false, None, None);
        Ok(Routed::Forward(Forward { object, message, takes_body, body_limit, caching, inner_url }))
    }

    /// What is found out about a client that manages a stream: an operator of its project, or of the whole deployment.
    fn manager(&self, stream: &ObjectName, now_ms: impl Fn() -> u64) -> Result<Client, Refusal> {
        if let (Some(Registry { root: Some(root), .. }), Entrance::Outer { age_ms }) =
            (&self.config.registry, self.entrance)
            && is_root(Some(root), self.method, self.query, self.headers, now_ms().saturating_sub(age_ms)).is_ok()
        {
            return Ok(Client { admission: Admission::Granted, until_ms: None, is_operator: true });
        }
        self.client(now_ms, Strangers::Refused, |grant| grant.admit_manager(stream))
    }

    fn object(&self, stream_path: &str) -> Result<ObjectName, Refusal> {
        match StreamTarget::parse(self.config.projects, stream_path)? {
            StreamTarget::Stream(object) => Ok(object),
            StreamTarget::Reserved => Err(control_apis()),
        }
    }

    /// What is found out about the client: whether its token, if it has one, admits what it wants. A token is judged by the
    /// time of the request's arrival: what has been called for it may have been applied.
    fn client(
        &self,
        now_ms: impl Fn() -> u64,
        strangers: Strangers,
        admits: impl Fn(&Grant) -> Result<(), Refusal>,
    ) -> Result<Client, Refusal> {
        match (&self.config.access, self.entrance) {
            (Access::NoAuth, _) => Ok(Client { admission: Admission::Open, until_ms: None, is_operator: true }),
            (Access::Keys(_) | Access::Projects | Access::Absent(_), Entrance::Inner) => {
                let is_stranger = gateway::asks_for_stranger(self.query);
                let admission = if is_stranger { Admission::Stranger } else { Admission::Granted };
                Ok(Client { admission, until_ms: None, is_operator: false })
            }
            (Access::Keys(keys), Entrance::Outer { age_ms }) => {
                if strangers == Strangers::Admitted && !is_shown(self.query, self.headers) {
                    return Ok(Client { admission: Admission::Stranger, until_ms: None, is_operator: false });
                }
                let arrived_ms = now_ms().saturating_sub(age_ms);
                let grant = Grant::of(keys, self.method, self.query, self.headers, arrived_ms)?;
                admits(&grant)?;
                let (until_ms, is_operator) = (Some(grant.until_ms()), grant.manages());
                Ok(Client { admission: Admission::Granted, until_ms, is_operator })
            }
            // A public stream of a project that there is not is nobody's.
            (Access::Absent(nobodys), Entrance::Outer { age_ms }) => {
                if let Some(nobodys) = nobodys {
                    let arrived_ms = now_ms().saturating_sub(age_ms);
                    Grant::of(nobodys, self.method, self.query, self.headers, arrived_ms)?;
                }
                Err(Refusal::new(
                    ErrorCode::TokenInvalid,
                    "the token is not valid: no key of this deployment has signed it",
                ))
            }
            (Access::NotConfigured | Access::Misconfigured(_) | Access::Projects, _) => {
                Err(Refusal::new(ErrorCode::AuthNotConfigured, "nobody is let in"))
            }
        }
    }

    /// Whether a read may wait for longer than its client's token lasts. Nobody ends a wait of the inner entrypoint, so such
    /// a read is served where it is. It is the same for a request that is served anew.
    fn is_cut(&self, read: &Read, until_ms: Option<u64>, now_ms: impl Fn() -> u64) -> bool {
        let Entrance::Outer { age_ms } = self.entrance else { return false };
        let waits_until_ms = || now_ms().saturating_sub(age_ms) + long_poll::oldest_flight_ms(self.config);
        read.live.is_some() && until_ms.is_some_and(|until_ms| until_ms < waits_until_ms())
    }

    /// How the cache of the datacenter takes part in a read. Not in one that tells about instances.
    fn caching(&self, object: &str, debug: bool, read: &Read, admission: Admission) -> Option<Caching> {
        if debug && !mutated!(DebugAnswerKept) {
            return None;
        }
        let (policy, query, headers) = (&self.config.policy, self.query, self.headers);
        let mut caching = Caching::of(policy, self.origin, object, read, query, headers, admission)?;
        if mutated!(TokenInCacheKey) {
            let token = access::token_of(self.method, query, headers).unwrap_or_default();
            caching.key.push_str(&format!("&token={token}"));
        }
        Some(caching)
    }

    /// The URL of which a gateway asks the inner entrypoint. Not for a read that tells about instances.
    fn inner_url(&self, stream_path: &str, debug: bool, read: &Read, admission: Admission) -> Option<String> {
        if debug || !self.config.policy.has_gateway {
            return None;
        }
        let path = percent::decode(stream_path)?;
        gateway::inner_url(self.origin, STREAM_ROUTE, &path, read, self.headers, admission)
    }

    /// The URL of the request's path, in ASCII. Its host is what the client has sent: if a header field cannot hold
    /// that, the URL is relative.
    fn location(&self) -> String {
        let is_plain = self.origin.bytes().all(|byte| byte.is_ascii_graphic());
        let origin = if is_plain { self.origin } else { "" };
        // A path that names a stream can be decoded.
        format!("{origin}{}", encode_path(&percent::decode(self.path).unwrap_or_default()))
    }

    /// Debug headers tell about instances, and what waits for R2, so only an operator is answered with them.
    fn is_debugged(&self, client: &Client) -> bool {
        client.is_operator && self.headers.get(header::TAILRACE_DEBUG).is_some()
    }

    /// Whether the body is said to be encoded. A reader would get it as it is, and not be told of it.
    fn has_encoded_body(&self) -> bool {
        let mut codings = self.headers.get(header::CONTENT_ENCODING).unwrap_or_default().split(',');
        codings.any(|coding| !is_identity(coding.trim_matches([' ', '\t'])))
    }

    fn content_type(&self) -> Result<Option<ContentType>, Refusal> {
        self.headers.get(header::CONTENT_TYPE).map(ContentType::parse).transpose()
    }

    fn last_event_id(&self) -> Option<Offset> {
        last_event_id(self.headers)
    }

    fn create(&self, object: ObjectName) -> Result<(ObjectName, Operation), Refusal> {
        let get = |name| self.headers.get(name);
        let content_type = self.content_type()?;
        let expiry = Expiry::parse(get(header::STREAM_TTL), get(header::STREAM_EXPIRES_AT))?;
        let fork = ForkRequest::parse(
            get(header::STREAM_FORKED_FROM),
            get(header::STREAM_FORK_OFFSET),
            get(header::STREAM_FORK_SUB_OFFSET),
        )?;
        if let Some(fork) = fork {
            let source = fork.source.strip_prefix(STREAM_ROUTE).ok_or_else(|| {
                Refusal::new(ErrorCode::InvalidFork, "Stream-Forked-From is no path of a stream of this server")
            })?;
            return Ok((self.object(source)?, Operation::Fork(Fork { offset: fork.offset, content_type })));
        }
        let location = self.location();
        let closed = header::is_true(get(header::STREAM_CLOSED));
        let public = match Query::parse(self.query).single("public")? {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Refusal::new(ErrorCode::InvalidQuery, "public is neither true nor false")),
        };
        Ok((object, Operation::Create(Create { location, content_type, expiry, closed, public })))
    }

    fn append(&self) -> Result<Append, Refusal> {
        let get = |name| self.headers.get(name);
        let close = header::is_true(get(header::STREAM_CLOSED));
        let stream_seq = get(header::STREAM_SEQ);
        if stream_seq.is_some_and(|seq| !is_token(seq)) {
            let message = "Stream-Seq is not 1 to 256 bytes of visible ASCII and blanks";
            return Err(Refusal::new(ErrorCode::InvalidStreamSeq, message));
        }
        Ok(Append {
            // A request that only closes may carry any content type, whatever a library set.
            content_type: match self.content_type() {
                Err(_) if close => None,
                content_type => content_type?,
            },
            producer: ProducerStamp::parse(
                get(header::PRODUCER_ID),
                get(header::PRODUCER_EPOCH),
                get(header::PRODUCER_SEQ),
            )?,
            stream_seq: stream_seq.map(str::to_owned),
            close,
        })
    }

    fn read(&self, now_ms: impl Fn() -> u64) -> Result<Read, Refusal> {
        let query = Query::parse(self.query);
        query.single(READER_KEY)?;
        let live = match query.single("live")? {
            None => None,
            Some(text) => Some(
                Live::parse(text)
                    .ok_or_else(|| Refusal::new(ErrorCode::InvalidLive, "live is neither long-poll nor sse"))?,
            ),
        };
        let from = match self.last_event_id().filter(|_| live == Some(Live::Sse)) {
            // A browser that comes back asks for the URL with which it began.
            Some(last) => ReadFrom::At(last),
            None => {
                let offset = query.single("offset")?;
                if live.is_some() && offset.is_none() {
                    return Err(Refusal::new(ErrorCode::InvalidLive, "a live read needs an offset"));
                }
                ReadFrom::parse(offset)?
            }
        };
        let now_ms = || if self.entrance == Entrance::Inner { MAX_INTEGER } else { now_ms() };
        let cursor = query.single("cursor")?.map(|text| cursor::parse(text, now_ms())).transpose()?;
        // Events have no entity tag. A list of tags beyond the limit is ignored, so that messages stay short.
        let if_none_match = self.headers.get(header::IF_NONE_MATCH).filter(|tags| tags.len() <= IF_NONE_MATCH_LIMIT);
        Ok(Read {
            from,
            if_none_match: if_none_match.filter(|_| live != Some(Live::Sse)).map(str::to_owned),
            live,
            cursor: cursor.filter(|_| live.is_some()),
            from_now: from == ReadFrom::Now,
            is_kept: false,
        })
    }
}

/// What is known about a request's client.
struct Client {
    admission: Admission,
    /// When its token expires, in ms since the Unix epoch; `None` for one without.
    until_ms: Option<u64>,
    /// Whether it may be told about the instances that serve it.
    is_operator: bool,
}

/// What becomes of a client that shows no token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strangers {
    /// The object decides: the stream may be public.
    Admitted,
    /// It is refused, and no object is woken.
    Refused,
}

fn control_apis() -> Refusal {
    Refusal::new(ErrorCode::NotImplemented, "the protocol's control APIs are not offered")
}

/// The offset after the last event that the client has had. What is none of our ids is ignored, as any server does with
/// ids that are not its own: the client's `offset` then says where it begins.
pub(super) fn last_event_id(headers: &Headers) -> Option<Offset> {
    Offset::parse(headers.get(header::LAST_EVENT_ID)?)
}

/// Whether a content coding changes nothing. An empty element of a list is none.
fn is_identity(coding: &str) -> bool {
    coding.is_empty() || coding.eq_ignore_ascii_case("identity")
}
