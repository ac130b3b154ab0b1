//! Tokens that clients have shown, and what strangers were told: those without a grant.

use std::fmt;

use tailrace_core::protocol::{Method, Response};

use super::Moment;
use crate::kernel::named::named;

/// The origins of pages that ask, by which client they belong to: one is not listed.
const ORIGINS: [Option<&str>; 4] =
    [Some("https://second.test"), Some("https://third.test"), None, Some("https://first.test")];

/// The origin that a client's requests name where the deployment lists any.
pub fn origin_of(client: usize) -> Option<&'static str> {
    ORIGINS[client % ORIGINS.len()]
}

/// The token of a request that grants what is asked, as its client knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// When it expires, in ms since the Unix epoch.
    pub until_ms: u64,
    /// Whether it is in the URL.
    pub is_in_url: bool,
    /// Whether it is an operator's, who is told about instances.
    pub manages: bool,
}

named! {
    /// What a stranger shows in place of a token that grants what it asks.
    pub enum Forgery {
        /// Nothing.
        Nothing = "no token";
        /// A token that needs no signature, as it says.
        Unsigned = "alg none";
        /// One that a key of somebody else has signed.
        ForeignKey = "a foreign key's";
        /// One that says to be signed by another key than has signed it.
        OtherKid = "another kid";
        /// The signature of another token.
        Tampered = "tampered with";
        /// A part of a signature.
        Cut = "cut short";
        /// One whose time has not come.
        NotYet = "not valid yet";
        /// One whose time is over.
        Expired = "expired";
        /// One for another project.
        OtherProject = "for another project";
        /// One for other streams.
        OtherStream = "for other streams";
        /// One that may only read.
        ReadOnly = "for reading";
        /// A token that would do, twice.
        Twice = "shown twice";
    }
}

impl Forgery {
    /// How whoever shows it is refused: by status and code.
    pub fn refusal(self) -> (u16, &'static str) {
        match self {
            Self::Nothing => (401, "token_missing"),
            Self::Unsigned | Self::ForeignKey | Self::OtherKid | Self::Tampered | Self::Cut | Self::NotYet => {
                (401, "token_invalid")
            }
            Self::Expired => (401, "token_expired"),
            Self::OtherProject => (403, "project_not_granted"),
            Self::OtherStream => (403, "stream_not_granted"),
            Self::ReadOnly => (403, "scope_insufficient"),
            Self::Twice => (400, "token_ambiguous"),
        }
    }
}

/// What a stranger asked, and was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trespass {
    /// Which client's request it repeats, for people.
    pub client: usize,
    /// The number of the request in the world.
    pub request: u64,
    /// The stream, an index of [`super::History::streams`].
    pub stream: usize,
    /// The method.
    pub method: Method,
    /// The URL without what stands for a token.
    pub url: String,
    /// What stands for a token.
    pub forgery: Forgery,
    /// Whether that is in the URL.
    pub is_in_url: bool,
    /// Whether the cache of its datacenter had the answer when it asked.
    pub is_at_a_copy: bool,
    /// When it asked.
    pub invoked: Moment,
    /// What it was told; none if it was told nothing.
    pub answer: Option<Response>,
}

impl Trespass {
    /// What its URL has as the reader key of the stream.
    pub fn reader_key(&self) -> Option<&str> {
        self.url.split_once('?')?.1.split('&').find_map(|parameter| parameter.strip_prefix("rk="))
    }

    /// Whether it wants to read.
    pub fn reads(&self) -> bool {
        matches!(self.method, Method::Get | Method::Head)
    }

    /// Whether it reads and shows nothing, so that the object has to say whether the stream is public.
    pub fn may_be_of_the_public(&self) -> bool {
        self.reads() && self.forgery == Forgery::Nothing
    }

    /// The stable code of its refusal.
    pub fn code(&self) -> Option<String> {
        let error: serde_json::Value = serde_json::from_slice(&self.answer.as_ref()?.body).ok()?;
        error.pointer("/error/code")?.as_str().map(str::to_owned)
    }
}

impl fmt::Display for Trespass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, method, url, forgery, is_in_url, answer, .. } = self;
        let place = if *is_in_url { " in the URL" } else { "" };
        write!(formatter, "a stranger beside c{client}: {method:?} {url}, {}{place} -> ", forgery.name())?;
        match answer {
            Some(answer) => {
                let offset = answer.headers.get("stream-next-offset").unwrap_or_default();
                write!(formatter, "{} {}{offset}", answer.status, self.code().unwrap_or_default())
            }
            None => formatter.write_str("nothing"),
        }
    }
}
