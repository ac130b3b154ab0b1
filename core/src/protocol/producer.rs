//! Idempotent producers.

use super::cursor::parse_integer;
use super::field_value::is_token;
use super::{ErrorCode, Refusal};

/// The id of a producer, which stays the same when the producer restarts: a token of [`is_token`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerId(String);

impl ProducerId {
    /// Checks the text; `None` if it is no token.
    pub fn parse(text: &str) -> Option<Self> {
        is_token(text).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The stamp on an append of an idempotent producer: its id, its epoch, and the number of the request in that epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerStamp {
    /// The producer.
    pub id: ProducerId,
    /// Raised by the producer at each restart; at most 2^53 - 1.
    pub epoch: u64,
    /// Counts requests within the epoch, from 0; at most 2^53 - 1.
    pub seq: u64,
}

impl ProducerStamp {
    /// From the three headers. Either all of them or none must be present.
    pub fn parse(id: Option<&str>, epoch: Option<&str>, seq: Option<&str>) -> Result<Option<Self>, Refusal> {
        let refuse = |message| Err(Refusal::new(ErrorCode::InvalidProducer, message));
        let (id, epoch, seq) = match (id, epoch, seq) {
            (None, None, None) => return Ok(None),
            (Some(id), Some(epoch), Some(seq)) => (id, epoch, seq),
            _ => return refuse("Producer-Id, Producer-Epoch and Producer-Seq belong together"),
        };
        let Some(id) = ProducerId::parse(id) else {
            return refuse("Producer-Id is not 1 to 256 bytes of visible ASCII and blanks");
        };
        match (parse_integer(epoch), parse_integer(seq)) {
            (Some(epoch), Some(seq)) => Ok(Some(Self { id, epoch, seq })),
            _ => refuse("Producer-Epoch or Producer-Seq is no decimal integer below 2^53"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::TOKEN_LIMIT;
    use super::*;

    #[test]
    fn the_three_headers_belong_together() {
        let parse = |id, epoch, seq| ProducerStamp::parse(id, epoch, seq);
        assert_eq!(parse(None, None, None), Ok(None));
        let stamp = parse(Some("p"), Some("1"), Some("2")).expect("complete").expect("present");
        assert_eq!((stamp.id.as_str(), stamp.epoch, stamp.seq), ("p", 1, 2));
        let long = "p".repeat(TOKEN_LIMIT + 1);
        for (id, epoch, seq) in [
            (Some("p"), None, None),
            (Some("p"), Some("1"), None),
            (None, Some("1"), Some("2")),
            (Some(""), Some("1"), Some("2")),
            (Some(long.as_str()), Some("1"), Some("2")),
            (Some("j\u{fffd}rgen"), Some("1"), Some("2")),
            (Some("p"), Some("\u{b2}"), Some("2")),
            (Some("p"), Some("-1"), Some("2")),
            (Some("p"), Some("1.5"), Some("2")),
            (Some("p"), Some("1"), Some("x")),
            (Some("p"), Some("1"), Some("9007199254740992")),
        ] {
            let refused = parse(id, epoch, seq).map_err(|refusal| refusal.code);
            assert_eq!(refused, Err(ErrorCode::InvalidProducer), "{id:?} {epoch:?} {seq:?}");
        }
    }
}
