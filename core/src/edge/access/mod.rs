//! Who may do what: tokens, by which a request says what it may, and the keys that sign them.
//!
//! A token is checked before anything else is looked at that only some may know of: no cache is looked up and no object
//! asked for a request that is refused. Nothing about a token is remembered.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `credential` | where a request carries its token |
//! | `keys` | the keys of a deployment, which sign tokens and verify them |
//! | `token` | a token's text: who has signed it, and whether it is its time |
//! | `members` | the members of a JSON object, each of which is there once |
//! | `claims` | what a token says |
//! | `scope` | what may be done, and what each method needs |
//! | `pattern` | which streams a token is for |
//! | `grant` | what the token of a request grants |
//! | `checked` | tests of requests with tokens to an edge with keys |
//! | `strangers` | tests of requests without one |

#[cfg(test)]
mod checked;
mod claims;
mod credential;
mod grant;
mod keys;
mod members;
mod pattern;
mod scope;
#[cfg(test)]
mod strangers;
mod token;

pub use claims::Claims;
pub(super) use credential::{is_in_url, is_shown};
pub(super) use grant::{Grant, token_of};
pub use keys::KeyRing;
pub use pattern::StreamPattern;
pub use scope::Scope;
pub use token::{mint, verify};
