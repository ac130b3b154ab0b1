//! The headers that ask for a fork.

use super::cursor::parse_integer;
use super::field_value::is_visible;
use super::{ErrorCode, Offset, Refusal};

/// A creation that asks for a fork of another stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkRequest {
    /// The URL path of the source stream.
    pub source: String,
    /// Where it branches off; the source's tail if absent.
    pub offset: Option<Offset>,
    /// Messages (JSON mode) or bytes past the offset.
    pub sub_offset: u64,
}

impl ForkRequest {
    /// From `Stream-Forked-From`, `Stream-Fork-Offset` and `Stream-Fork-Sub-Offset`.
    pub fn parse(
        source: Option<&str>,
        offset: Option<&str>,
        sub_offset: Option<&str>,
    ) -> Result<Option<Self>, Refusal> {
        let refuse = |message| Err(Refusal::new(ErrorCode::InvalidFork, message));
        let Some(source) = source else {
            return match (offset, sub_offset) {
                (None, None) => Ok(None),
                _ => refuse("a fork offset needs Stream-Forked-From"),
            };
        };
        if !is_visible(source) {
            return refuse("Stream-Forked-From holds something else than visible ASCII; a path is percent-encoded");
        }
        let sub_offset = match sub_offset.map(parse_integer) {
            None => 0,
            Some(Some(sub_offset)) => sub_offset,
            Some(None) => return refuse("Stream-Fork-Sub-Offset is no decimal integer below 2^53"),
        };
        if sub_offset > 0 && offset.is_none() {
            return refuse("Stream-Fork-Sub-Offset needs Stream-Fork-Offset");
        }
        let offset = match offset.map(Offset::parse) {
            None => None,
            Some(Some(offset)) => Some(offset),
            Some(None) => return refuse("Stream-Fork-Offset is no offset that we emitted"),
        };
        Ok(Some(Self { source: source.to_owned(), offset, sub_offset }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fork_headers_need_each_other() {
        let offset = "0000000000000000_0000000000000003";
        for (source, at, sub, valid) in [
            (None, None, None, true),
            (Some("/v1/stream/a"), None, None, true),
            (Some("/v1/stream/a"), Some(offset), None, true),
            (Some("/v1/stream/a"), Some(offset), Some("2"), true),
            (Some("/v1/stream/a"), None, Some("0"), true),
            (Some("/v1/stream/a"), None, Some("2"), false),
            (Some("/v1/stream/a"), Some("3"), None, false),
            (Some("/v1/stream/a"), Some(offset), Some("-1"), false),
            (None, Some(offset), None, false),
            (None, None, Some("0"), false),
            (Some("/v1/stream/\u{fffd}"), None, None, false),
            (Some("/v1/stream/é"), None, None, false),
        ] {
            assert_eq!(ForkRequest::parse(source, at, sub).is_ok(), valid, "{source:?} {at:?} {sub:?}");
        }
    }
}
