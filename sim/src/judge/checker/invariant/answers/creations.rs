//! Streams that came while a request was under way.

use crate::judge::checker::case::Case;
use crate::judge::history::{Call, Op};

/// How many streams may have been created while a request was under way.
pub(super) fn created_meanwhile(case: &Case<'_>, op: &Op) -> usize {
    let is_meanwhile = |other: &Op| {
        let creates = matches!(other.call, Call::Create { .. }) && matches!(other.status(), None | Some(201));
        creates && other.settled() > op.invoked && other.invoked < op.ended.unwrap_or(op.settled())
    };
    case.iter().filter(|(_, other)| is_meanwhile(other)).count()
}
