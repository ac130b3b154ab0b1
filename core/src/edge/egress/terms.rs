//! The terms on which the answers of one request leave.
//!
//! Caches that stand before the edge check no token and no origin: what they keep they hand to everybody who asks for the
//! same URL. And a URL with a token is a password, and whoever kept its answer would keep it along with that.

use std::borrow::Cow;

use super::origins::Readers;
use crate::edge::access::is_in_url;
use crate::edge::config::{Access, EdgeConfig};
use crate::protocol::cors::EXPOSED_HEADERS;
use crate::protocol::query::Query;
use crate::protocol::{CacheControl, Headers, Response, header};
use crate::runtime::Changes;

/// Who may keep an answer of those who stand before the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keepers {
    /// As the answer says.
    AsTold,
    /// The browser of who has asked, and no cache that several clients share.
    OwnBrowser,
    /// Nobody.
    Nobody,
}

/// Who may keep what the client of one request is answered, and whose scripts may read it, whatever the answer says
/// otherwise: also what others are answered as well, and what a cache has kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::edge) struct Terms {
    keepers: Keepers,
    readers: Readers,
}

/// What an answer is told instead of its own; `None` where that stands.
#[derive(Default)]
struct Told {
    cache_control: Option<String>,
    vary: Option<String>,
}

impl Terms {
    /// Of a request of a client with this query and these fields.
    pub(in crate::edge) fn of(config: &EdgeConfig, query: &str, headers: &Headers) -> Self {
        let keepers = if is_in_url(&Query::parse(query)) {
            Keepers::Nobody
        } else if matches!(config.access, Access::Keys(_)) || config.origins.are_mixed_in_front() {
            Keepers::OwnBrowser
        } else {
            Keepers::AsTold
        };
        Self { keepers, readers: config.origins.readers(headers) }
    }

    /// Of a request of the gateway: it sees to the answer of its client.
    pub(in crate::edge) fn of_gateway() -> Self {
        Self { keepers: Keepers::AsTold, readers: Readers::Own }
    }

    /// An answer as it leaves.
    pub(in crate::edge) fn response(&self, mut response: Response) -> Response {
        let told = self.told(&response.headers);
        self.put(&mut response.headers, told);
        response
    }

    /// The changes of an answer with that head, which is looked at only where it matters.
    pub(super) fn changes<'a>(&self, changes: &'a Changes, head: impl FnOnce() -> Response) -> Cow<'a, Changes> {
        let mut changed = Cow::Borrowed(changes);
        if self.are_put() {
            let told = if self.look_at_fields() { self.told(&head().headers) } else { Told::default() };
            self.put(&mut changed.to_mut().set, told);
        }
        changed
    }

    /// Whether anything is put on answers.
    fn are_put(&self) -> bool {
        self.keepers != Keepers::AsTold || self.readers != Readers::Own
    }

    /// Whether what is put on an answer depends on its fields.
    fn look_at_fields(&self) -> bool {
        self.keepers == Keepers::OwnBrowser || matches!(self.readers, Readers::Asking(_))
    }

    fn told(&self, fields: &Headers) -> Told {
        let cache_control = match self.keepers {
            Keepers::OwnBrowser => fields.get(header::CACHE_CONTROL).and_then(CacheControl::unshared),
            Keepers::AsTold | Keepers::Nobody => None,
        };
        let vary = match (&self.readers, fields.get(header::VARY)) {
            (Readers::Asking(_), Some(others)) => Some(format!("{others}, Origin")),
            (Readers::Asking(_) | Readers::Own | Readers::Any, _) => None,
        };
        Told { cache_control, vary }
    }

    fn put(&self, fields: &mut Headers, told: Told) {
        let cache_control = match self.keepers {
            Keepers::Nobody => Some(CacheControl::Private.to_string()),
            Keepers::AsTold | Keepers::OwnBrowser => told.cache_control,
        };
        if let Some(cache_control) = cache_control {
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
