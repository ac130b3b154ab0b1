//! No token's signature and no key is written down: in the key of a cache, in a message to an object or its name, in a field
//! of an answer, in the trace, or in what core logs.

use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, Violation};

/// The world has looked at all of them together.
pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let sightings = case.history.sightings.iter().filter(|_| case.stream == 0);
    sightings.map(|sighting| case.violation(Invariant::Secret, &[], format!("a secret is in a {sighting}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::run;

    #[test]
    fn what_was_seen_of_a_secret_is_told_once_for_all_streams() {
        let mut run = run();
        run.check(Invariant::Secret, check, 0);
        run.history.sightings = vec!["trace: x".to_owned(), "log: y".to_owned()];
        run.check(Invariant::Secret, check, 2);
        run.history.streams.push(run.history.streams[0].clone());
        assert_eq!(check(&Case::new(&run.history, 1)).len(), 0);
    }
}
