//! Who may do what: tokens, by which a request says what it may.
//!
//! A token is checked before anything else is looked at that only some may know of: no cache is looked up and no object
//! asked for a request that is refused. Nothing about a token is remembered.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `credential` | where a request carries its token |
//! | `token` | a token's text: who has signed it, and whether it is its time |
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
mod pattern;
mod scope;
#[cfg(test)]
mod strangers;
mod token;

pub use claims::Claims;
pub(super) use credential::{is_in_url, is_shown};
pub(super) use grant::{Grant, is_root, token_of};
pub use pattern::StreamPattern;
pub use scope::Scope;
pub use token::{mint, verify};
