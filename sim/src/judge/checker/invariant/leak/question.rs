//! What a read asks for.

use crate::judge::history::{Call, From, Op};

/// What a read asks for: what caches may tell apart.
pub(in crate::judge::checker) fn question(op: &Op) -> Option<(usize, &From, bool, Option<u64>)> {
    match &op.call {
        Call::Read { from, .. } => Some((op.stream, from, false, None)),
        Call::Live { from, cursor, .. } => Some((op.stream, from, true, *cursor)),
        _ => None,
    }
}
