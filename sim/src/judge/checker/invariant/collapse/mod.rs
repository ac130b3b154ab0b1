//! An object is asked for one key no more often than the policy says.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `edge` | the cache behind the Worker: the object is asked for what cannot be seen there |
//! | `nodes` | caches in front: each asks the Worker once, and waits for nothing else |

mod edge;
mod nodes;

pub(in crate::judge::checker) use edge::raced;

use crate::judge::checker::Violation;
use crate::judge::checker::case::Case;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = edge::check(case);
    violations.extend(nodes::check(case));
    violations
}
