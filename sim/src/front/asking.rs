//! A visitor's request, as a cache in front sees it.

use std::rc::Rc;

/// The header fields that an answer may vary by, with their values; names in lower case.
pub type Fields = Rc<[(Rc<str>, Rc<str>)]>;

/// A visitor's request, as a cache sees it: GET of a URL that may be cached. Whatever else is asked passes by the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking<K> {
    /// Under what the answer is kept: for a zone the URL, for Workers Cache what [`super::WorkersKey`] makes of it.
    pub key: K,
    /// The request's own number: no other request has it, nor has a fetch.
    pub visitor: u64,
    /// Where it comes from.
    pub kind: Kind,
    /// Which datacenter it reaches.
    pub colo: usize,
    /// A random number: by it those who keep to no node are spread.
    pub drawn: u64,
    /// Whether it says `Cache-Control: no-cache`, or `max-age=0`.
    pub no_cache: bool,
    /// Whether it has `Authorization`.
    pub has_authorization: bool,
    /// Fields that answers may vary by; `None` where there are none.
    pub fields: Option<Fields>,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From that client, outside of the platform.
    Outside {
        /// Which client: it keeps to one node of a datacenter.
        client: u64,
    },
    /// From a Worker.
    SubRequest,
}

impl<K> Asking<K> {
    /// A plain request of an outside client, to the first datacenter.
    pub fn new(key: K, visitor: u64, client: u64) -> Self {
        Self {
            key,
            visitor,
            kind: Kind::Outside { client },
            colo: 0,
            drawn: 0,
            no_cache: false,
            has_authorization: false,
            fields: None,
        }
    }
}
