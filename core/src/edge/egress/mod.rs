//! The way out: every answer of a client leaves through it, whoever has made it. What depends on who asks is put on here,
//! after all caches and flights of the edge: who may keep the answer, and whose scripts may read it.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `terms` | the terms on which the answers of one request leave |
//! | `outlet` | what one request can reach, whose answers leave on its terms |
//! | `answered` | tests of the terms on every kind of answer |
//! | `reader_keys` | tests of what caches in front may keep of a stream that is not public |

#[cfg(test)]
mod answered;
mod outlet;
#[cfg(test)]
mod reader_keys;
mod terms;

pub(super) use outlet::Outlet;
pub(super) use terms::Terms;
