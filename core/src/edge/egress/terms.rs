//! The terms on which the answers of one request leave.
//!
//! Caches that stand before the edge check no token and no origin: what they keep they hand to everybody who asks for the
//! same URL. And a URL with a token is a password, and whoever kept its answer would keep it along with that.

use std::borrow::Cow;

use crate::edge::access::{is_in_url, is_shown};
use crate::edge::config::EdgeConfig;
use crate::edge::stream_request::READER_KEY;
use crate::mutant::mutated;
use crate::protocol::cors::EXPOSED_HEADERS;
use crate::protocol::project::origins::Readers;
use crate::protocol::query::Query;
use crate::protocol::{CacheControl, Headers, ReaderKeyDigest, Readership, Response, header};
use crate::runtime::Changes;

/// Who may keep an answer of those who stand before the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Keepers {
    /// As the answer says.
    AsTold,
    /// As the answer says, where the stream is public or the URL has the reader key with this digest that held when its object
    /// answered; else nobody.
    Readership(Option<ReaderKeyDigest>),
    /// Nobody.
    Nobody,
}

/// Who may keep what the client of one request is answered, and whose scripts may read it, whatever the answer says
/// otherwise: also what others are answered as well, and what a cache has kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::edge) struct Terms {
    keepers: Keepers,
    /// Whether that is a client, and not a gateway.
    is_for_a_client: bool,
    /// Whether it has shown no token, where one is needed for what is not public.
    is_stranger: bool,
    /// Whether of those only the browser of who has asked may keep it, and no cache that several clients share.
    is_unshared: bool,
    readers: Readers,
}

/// Fields that no client sees.
const INTERNAL: &[&str] = &[header::TAILRACE_AHEAD, header::TAILRACE_KEPT, header::TAILRACE_READERS];

/// The same, and what tells of caches.
const INTERNAL_AND_OF_CACHES: &[&str] =
    &[header::TAILRACE_AHEAD, header::TAILRACE_KEPT, header::TAILRACE_READERS, header::X_CACHE, header::AGE];

/// What an answer is told instead of its own; `None` where that stands.
#[derive(Default)]
struct Told {
    cache_control: Option<String>,
    vary: Option<String>,
}

/// Whether the edge had kept the answer. Only a known bug looks at it.
fn is_kept(fields: &Headers) -> bool {
    fields.get(header::TAILRACE_KEPT).is_some()
}

impl Terms {
    /// Of a request of a client with this query and these fields.
    pub(in crate::edge) fn of(config: &EdgeConfig, query_text: &str, headers: &Headers) -> Self {
        let query = Query::parse(query_text);
        let keepers = if is_in_url(&query) {
            Keepers::Nobody
        } else if config.access.is_checked() {
            // One that is there twice is refused.
            Keepers::Readership(query.all(READER_KEY).next().map(ReaderKeyDigest::of))
        } else {
            Keepers::AsTold
        };
        let is_stranger = config.access.is_checked() && !is_shown(query_text, headers);
        let is_unshared = config.origins.are_mixed_in_front();
        let readers = config.origins.readers(headers);
        Self { keepers, is_for_a_client: true, is_stranger, is_unshared, readers }
    }

    /// Of a request of the gateway: it sees to the answer of its client.
    pub(in crate::edge) fn of_gateway() -> Self {
        let (keepers, readers) = (Keepers::AsTold, Readers::Own);
        Self { keepers, is_for_a_client: false, is_stranger: false, is_unshared: false, readers }
    }

    /// An answer as it leaves.
    pub(in crate::edge) fn response(&self, mut response: Response) -> Response {
        if self.are_put() {
            let told = self.told(&response.headers);
            self.put(&mut response.headers, told);
        }
        if self.is_guarded() {
            let left_out = self.left_out(&response.headers);
            response.headers.remove(left_out);
        }
        response
    }

    /// The changes of an answer with that head, which is looked at only where it matters.
    pub(super) fn changes<'a>(&self, changes: &'a Changes, head: impl FnOnce() -> Response) -> Cow<'a, Changes> {
        let mut changed = Cow::Borrowed(changes);
        if self.are_put() {
            let head = self.look_at_fields().then(head);
            let told = head.as_ref().map(|head| self.told(&head.headers)).unwrap_or_default();
            let changed = changed.to_mut();
            self.put(&mut changed.set, told);
            if self.is_guarded() {
                changed.left_out = head.map_or(INTERNAL, |head| self.left_out(&head.headers));
                changed.set.remove(changed.left_out);
            }
        }
        changed
    }

    /// Whether anything is put on answers.
    fn are_put(&self) -> bool {
        self.is_guarded() || self.is_unshared || self.readers != Readers::Own
    }

    /// What the client is not told: a stranger nothing of caches, unless it is about a public stream.
    fn left_out(&self, fields: &Headers) -> &'static [&'static str] {
        let readers = fields.get(header::TAILRACE_READERS).and_then(Readership::parse);
        match self.is_stranger && !readers.is_some_and(|readers| readers.is_everybody()) {
            true => INTERNAL_AND_OF_CACHES,
            false => INTERNAL,
        }
    }

    /// Whether it is a client that is answered, and not a gateway.
    pub(super) fn are_for_a_client(&self) -> bool {
        self.is_for_a_client
    }

    /// Whether that client has shown no token, where one is needed for what is not public.
    pub(super) fn are_for_a_stranger(&self) -> bool {
        self.is_stranger
    }

    /// Whether what is put on answers depends on who asks.
    fn is_guarded(&self) -> bool {
        self.keepers != Keepers::AsTold
    }

    /// Whether what is put on an answer depends on its fields.
    fn look_at_fields(&self) -> bool {
        self.is_guarded() || self.is_unshared || matches!(self.readers, Readers::Asking(_))
    }

    fn told(&self, fields: &Headers) -> Told {
        // Every answer says something, but what is nobody's is so whatever it says.
        let text = fields.get(header::CACHE_CONTROL).unwrap_or_default();
        let cache_control = self.cache_control(text, fields);
        let vary = match (&self.readers, fields.get(header::VARY)) {
            (Readers::Asking(_), Some(others)) => Some(format!("{others}, Origin")),
            (Readers::Asking(_) | Readers::Own | Readers::Any, _) => None,
        };
        Told { cache_control, vary }
    }

    /// What is told instead of this `Cache-Control`.
    fn cache_control(&self, text: &str, fields: &Headers) -> Option<String> {
        let nobody = || CacheControl::kept_by_nobody(text).map(|value| value.to_string());
        let fresh = match &self.keepers {
            Keepers::AsTold => None,
            Keepers::Nobody => return nobody().or_else(|| Some(CacheControl::Private.to_string())),
            Keepers::Readership(shown) => {
                match fields.get(header::TAILRACE_READERS).and_then(Readership::parse) {
                    Some(Readership::Everybody) => None,
                    // Nobody may go on serving it once the key has changed.
                    Some(Readership::Holders(key)) if Some(&key) == shown.as_ref() => CacheControl::never_stale(text),
                    Some(_) if mutated!(AnswerStoredAtBareUrl) && shown.is_none() => CacheControl::never_stale(text),
                    Some(_) if mutated!(ReaderKeyCheckedOnMissesOnly) && shown.is_some() && is_kept(fields) => {
                        CacheControl::never_stale(text)
                    }
                    Some(Readership::Holders(_)) | None => return nobody(),
                }
            }
        };
        let told = fresh.as_deref().unwrap_or(text);
        if self.is_unshared { CacheControl::unshared(told).or(fresh) } else { fresh }
    }

    fn put(&self, fields: &mut Headers, told: Told) {
        if let Some(cache_control) = told.cache_control {
            fields.set(header::CACHE_CONTROL, cache_control);
        }
        let allowed = match &self.readers {
            Readers::Own => return,
            Readers::Any => Some("*"),
            Readers::Asking(origin) => {
                fields.set(header::VARY, told.vary.unwrap_or_else(|| "Origin".to_owned()));
                origin.as_deref()
            }
        };
        if let Some(allowed) = allowed {
            fields.set(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            fields.set(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        }
    }
}
