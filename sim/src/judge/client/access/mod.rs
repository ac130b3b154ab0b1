//! Tokens, as those who use a keyed deployment have them: who issues them, who shows which, and who has none that would do.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `jwt` | tokens as any library signs them: this is not core's code |
//! | `keys` | the keys of the deployment, and how they are rotated |
//! | `issuer` | the server of an application, which mints tokens for its clients |
//! | `pass` | a token as its client holds it |
//! | `reader_keys` | the reader keys of streams, as clients know them |
//! | `wallet` | the tokens that clients hold, and when they want new ones |
//! | `forge` | what strangers show instead |
//! | `stranger` | a stranger, who asks what a client has asked |

mod forge;
mod issuer;
mod jwt;
mod keys;
mod pass;
mod reader_keys;
mod stranger;
mod wallet;

pub(crate) use issuer::Issuer;
pub(super) use pass::{Need, Pass};
pub(crate) use stranger::send_stranger;
