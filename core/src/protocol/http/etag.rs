//! Entity tags of reads.

use std::fmt;

use crate::mutant::mutated;
use crate::protocol::limits::IF_NONE_MATCH_LIMIT;
use crate::protocol::{Incarnation, Offset};

/// The entity tag of the answer to a read: incarnation, range, and what the end of the range is. Closing the stream
/// changes the tag, and so does an append after the range: a cache that refreshes a stored answer after a 304 would
/// otherwise keep that answer's claim to end at the tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(String);

/// What follows the end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeEnd {
    /// More of the log follows.
    Inside,
    /// The tail of an open stream.
    Tail,
    /// The tail of a closed stream.
    Closed,
}

impl ETag {
    /// The tag of `[start, end)`.
    pub fn new(incarnation: &Incarnation, start: Offset, end: Offset, kind: RangeEnd) -> Self {
        let kind = match kind {
            RangeEnd::Inside => "",
            RangeEnd::Tail => ":t",
            RangeEnd::Closed => ":c",
        };
        Self(format!("\"{}:{start}:{end}{kind}\"", incarnation.as_str()))
    }

    /// Whether `If-None-Match`, which is a list of strong or weak tags or `*`, names this tag.
    ///
    /// The comparison is weak, as RFC 9110, section 13.1.2 asks for. What does not parse matches nothing.
    pub fn matches(&self, if_none_match: &str) -> bool {
        names(if_none_match, &self.0)
    }
}

/// Whether `If-None-Match` names a tag as [`ETag::matches`] says; the tag as it stands in `ETag`.
pub fn names(if_none_match: &str, own: &str) -> bool {
    if if_none_match.len() > IF_NONE_MATCH_LIMIT {
        return false;
    }
    let mut rest = if_none_match.trim_matches([' ', '\t']);
    if rest == "*" {
        return true;
    }
    // A comma may be inside the quotes of a tag, so the list cannot be split at commas.
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let tag = rest.strip_prefix("W/").unwrap_or(rest);
        let Some((opaque, after)) = tag.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) else {
            return false;
        };
        if mutated!(OnlyOneTagIsRead) {
            return own == if_none_match;
        }
        if own.strip_prefix('"').and_then(|own| own.strip_suffix('"')) == Some(opaque) {
            return true;
        }
        rest = after;
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tag(kind: RangeEnd) -> ETag {
        let end = Offset { read_seq: 0, position: 2 };
        ETag::new(&Incarnation::from_random([7; 16]), Offset::start_of(0), end, kind)
    }

    #[test]
    fn if_none_match_takes_lists_weak_tags_and_a_star() {
        let own = tag(RangeEnd::Inside).to_string();
        for (text, matches) in [
            (own.clone(), true),
            (format!("W/{own}"), true),
            (format!("\"x\", {own}"), true),
            (format!("\"a,b\" , W/\"x\",{own}, \"y\""), true),
            (" * ".to_owned(), true),
            ("\"x\"".to_owned(), false),
            (own.trim_matches('"').to_owned(), false),
            (format!("\"x {own}"), false),
            (format!("\"x\"{}", " ".repeat(5_000)), false),
            (String::new(), false),
            (",,,".to_owned(), false),
        ] {
            assert_eq!(tag(RangeEnd::Inside).matches(&text), matches, "{text}");
        }
    }

    #[test]
    fn an_append_after_the_range_and_closing_change_the_tag() {
        let kinds = [RangeEnd::Inside, RangeEnd::Tail, RangeEnd::Closed];
        for one in kinds {
            for other in kinds {
                assert_eq!(tag(one).matches(&tag(other).to_string()), one == other, "{one:?} {other:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(text in any::<String>()) {
            let _ = tag(RangeEnd::Inside).matches(&text);
        }
    }
}
