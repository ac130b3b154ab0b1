//! A request, as a cache in front sees it, and as it goes on to the isolate: a client's, or a gateway's for the inner
//! entrypoint.

use std::rc::Rc;

use tailrace_core::protocol::{Headers, Method};

use super::faults::FrontFaults;
use crate::front::{Asking, Control, Fetch, Fields, Kind, WorkersKey};
use crate::world::edge::request::{Request, RequestBody};
use crate::world::environment::Environment;

/// The name of the inner entrypoint: any but that of the other one.
const INNER: &str = "inner";

/// Under what an answer is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    /// In a zone: the URL, as it was spelled.
    Url(String),
    /// In Workers Cache.
    Worker(WorkersKey),
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum Who {
    /// A client, of that number.
    Client(u64),
    /// A gateway of that release, which asks the inner entrypoint of the same.
    Gateway(u32),
}

/// A GET.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) url: String,
    /// The URL as it may be written down.
    pub(super) shown: String,
    headers: Headers,
}

impl Asked {
    /// The request, if a cache may have an answer to it.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let is_plain = matches!(request.body, RequestBody::Empty);
        (request.method == Method::Get && is_plain).then(|| Self {
            url: request.url.clone(),
            shown: String::new(),
            headers: request.headers.clone(),
        })
    }

    pub(super) fn asking(&self, environment: &Environment, colo: usize, number: u64, who: Who) -> Asking<Key> {
        let faults = environment.faults().front;
        let (random, field) = (&environment.random, |name| self.headers.get(name));
        let control = field("cache-control").map(Control::parse).unwrap_or_default();
        let kind = match who {
            Who::Client(client) if !random.chance(faults.sub_request_permille) => Kind::Outside { client },
            Who::Client(_) | Who::Gateway(_) => Kind::SubRequest,
        };
        let fields: Fields = self.headers.iter().map(|(name, value)| (Rc::from(name), Rc::from(value))).collect();
        Asking {
            key: self.key(&faults, environment.release.get(), who),
            visitor: number,
            kind,
            colo,
            drawn: random.between(0, u64::from(u32::MAX)),
            no_cache: control.no_cache || control.max_age_s == Some(0),
            has_authorization: field("authorization").is_some(),
            fields: Some(fields),
        }
    }

    fn key(&self, faults: &FrontFaults, release: u32, who: Who) -> Key {
        if faults.zone {
            return Key::Url(self.url.clone());
        }
        let (entrypoint, release) = match who {
            Who::Client(_) => ("default", release),
            Who::Gateway(release) => (INNER, release),
        };
        let version = (!faults.cross_version).then_some(release);
        Key::Worker(WorkersKey::of(&self.url, entrypoint, version))
    }

    /// The visitor's own entity tags.
    pub(super) fn if_none_match(&self) -> Option<&str> {
        self.headers.get("if-none-match")
    }

    /// What a fetch asks the isolate: a cache wants the whole answer, or to know whether what it has is still right, and
    /// not what its visitor has.
    pub(super) fn request(&self, fetch: &Fetch) -> Request {
        let mut headers = self.headers.clone();
        if !fetch.passes {
            headers.remove(&["if-none-match"]);
            if let Some(tag) = &fetch.tag {
                headers.push("if-none-match", tag.to_string());
            }
        }
        Request { method: Method::Get, url: self.url.clone(), headers, body: RequestBody::Empty }
    }
}
