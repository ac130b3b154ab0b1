//! What must hold of a history: invariant `registry`.
//!
//! - A key that was made is good from when it is said to be usable until somebody asks to remove it; one that was removed is
//!   good no more once everybody knows. While KV fails, who knows something goes by it for ten minutes.
//! - Nobody's key is good for another project.
//! - What was acknowledged is never undone, and a project has a key for as long as it is there.

use std::collections::BTreeSet;

use tailrace_core::protocol::limits::{PROJECT_FRESH_MS, PROJECT_OLD_MS, PROJECT_READ_MS, PROJECT_RETRY_MS};
use tailrace_core::runtime::KV_SETTLES_MS;

use super::history::{Change, Probe, RegistryHistory, What};

/// How long it takes at most until everybody goes by what KV has confirmed, in ms: KV has settled, an isolate has what it read
/// before for a while, and a request may have been under way.
const KNOWN_MS: u64 = KV_SETTLES_MS + PROJECT_FRESH_MS + PROJECT_READ_MS + 1_000;

/// For how much longer a key that was removed may be good where KV has failed meanwhile, in ms.
const FAILED_MS: u64 = PROJECT_OLD_MS + PROJECT_RETRY_MS;

/// How long it takes at most from when a put of a record has failed, which may still be applied, until the record is put once
/// more and everybody goes by that, in ms: the put itself, what is waited for, and the pauses of those that fail.
const AGAIN_MS: u64 = 10_000 + KV_SETTLES_MS + 60_000 + KNOWN_MS;

/// What a history violates, in words.
pub(super) fn check(history: &RegistryHistory) -> Vec<String> {
    let mut violations: Vec<String> = history.probes.iter().filter_map(|probe| wrong(history, probe)).collect();
    violations.extend(history.changes.iter().filter_map(|change| absent(history, change)));
    for shown in &history.shown {
        let of_project = |change: &&Change| change.project == shown.project;
        let kept = good_in_the_end(history, &shown.project);
        let keys: BTreeSet<&str> = shown.keys.iter().flatten().map(String::as_str).collect();
        let must_be_there =
            history.changes.iter().filter(of_project).any(|change| change.what == What::Create && change.is_done())
                || history.left.iter().any(|key| key.project == shown.project);
        let may_be_gone =
            history.changes.iter().filter(of_project).any(|change| change.what == What::Delete && change.may_be_done());
        if must_be_there && !may_be_gone && keys.is_empty() {
            violations.push(format!("project {} has no key", shown.project));
        }
        for id in kept.difference(&keys) {
            violations
                .push(format!("project {}: key {id} was made, nobody has removed it, and it is gone", shown.project));
        }
        for change in history.changes.iter().filter(of_project).filter(|change| change.is_done()) {
            if let What::Remove(id) = &change.what
                && keys.contains(id.as_str())
            {
                violations.push(format!("project {}: key {id} was removed, and is there", shown.project));
            }
        }
    }
    violations
}

/// The ids of a project's keys of which it is certain that they are there.
fn good_in_the_end<'a>(history: &'a RegistryHistory, project: &str) -> BTreeSet<&'a str> {
    let made = history.changes.iter().filter(|change| change.is_done()).filter_map(|change| change.key.as_ref());
    let all = made.chain(&history.left).filter(|key| key.project == project);
    all.filter(|key| ends_ms(history, project, &key.id).is_none()).map(|key| key.id.as_str()).collect()
}

/// When somebody asks for the first time for what ends a key, in virtual ms.
fn ends_ms(history: &RegistryHistory, project: &str, id: &str) -> Option<u64> {
    let ends = |change: &&Change| {
        let is_meant = match &change.what {
            What::Remove(removed) => removed == id,
            What::Delete => true,
            What::Create | What::Add => false,
        };
        change.project == project && is_meant && change.may_be_done()
    };
    history.changes.iter().filter(ends).map(|change| change.asked_ms).min()
}

/// When a key was certainly ended, in virtual ms.
fn ended_ms(history: &RegistryHistory, project: &str, id: &str) -> Option<u64> {
    let began_ms = history.changes.iter().find(|change| change.key.as_ref().is_some_and(|key| key.id == id));
    let began_ms = began_ms.map_or(0, |change| change.asked_ms);
    let ends = |change: &&Change| {
        let is_meant = match &change.what {
            What::Remove(removed) => removed == id,
            What::Delete => change.asked_ms > began_ms,
            What::Create | What::Add => false,
        };
        change.project == project && is_meant && change.is_done()
    };
    history.changes.iter().filter(ends).map(|change| change.ended_ms).min()
}

/// From when on a key is good, in virtual ms; `None` if nobody has said so.
fn usable_ms(history: &RegistryHistory, project: &str, id: &str) -> Option<u64> {
    let is_meant = |change: &&Change| {
        change.project == project && change.is_done() && change.key.as_ref().is_some_and(|key| key.id == id)
    };
    let made = history.changes.iter().find(is_meant).and_then(|change| change.usable_ms);
    let left = history.left.iter().any(|key| key.project == project && key.id == id);
    made.or(left.then_some(0))
}

/// Whether a read of KV has failed within so many ms before.
fn has_failed(history: &RegistryHistory, (from_ms, to_ms): (u64, u64)) -> bool {
    history.failed_ms.iter().any(|ms| (from_ms..=to_ms).contains(ms))
}

/// What is wrong with what a holder was told, if anything is.
fn wrong(history: &RegistryHistory, probe: &Probe) -> Option<String> {
    let Probe { project, of, key, asked_ms, ended_ms, status } = probe;
    let says = |what: &str| Some(format!("{asked_ms} ms: key {key} of {of}, at {project}: {what}"));
    let is_let_in = matches!(status, Some(200 | 404));
    if of != project {
        return if is_let_in { says("it is let in at another project") } else { None };
    }
    let put_ms = history.unsure_ms.iter().filter(|(ms, of)| of == project && ms <= ended_ms).map(|(ms, _)| *ms).max();
    // What was known may have been taken back until the record is put once more.
    let is_unsure = put_ms.is_some_and(|put_ms| *asked_ms < put_ms + AGAIN_MS);
    let failed_within = |ms: u64| has_failed(history, (asked_ms.saturating_sub(ms), *ended_ms));
    if *status == Some(401) {
        let is_good = usable_ms(history, project, key).is_some_and(|usable_ms| usable_ms <= *asked_ms)
            && ends_ms(history, project, key).is_none_or(|ends_ms| *ended_ms < ends_ms);
        // Whoever has read KV last before the key was made may not have been told since.
        return if is_good && !is_unsure && !failed_within(FAILED_MS) {
            says("it is refused, and is good")
        } else {
            None
        };
    }
    let ended = self::ended_ms(history, project, key)?;
    let known_ms = if failed_within(FAILED_MS + KNOWN_MS) { KNOWN_MS + FAILED_MS } else { KNOWN_MS };
    if is_let_in && !is_unsure && ended + known_ms < *asked_ms { says("it is let in, and was removed") } else { None }
}

/// What is wrong with an operator who is told that there is no project, if anything is.
fn absent(history: &RegistryHistory, change: &Change) -> Option<String> {
    if change.status != Some(404) || change.what == What::Create {
        return None;
    }
    let is_left = history.left.iter().any(|key| key.project == change.project);
    let made = history.changes.iter().any(|other| {
        other.project == change.project
            && other.what == What::Create
            && other.is_done()
            && other.ended_ms < change.asked_ms
    });
    let may_be_gone = history.changes.iter().any(|other| {
        other.project == change.project
            && other.what == What::Delete
            && other.may_be_done()
            && other.asked_ms < change.ended_ms
    });
    // A key that is not there is 404 as well.
    let is_of_key = matches!(&change.what, What::Remove(id) if ends_before(history, change, id));
    ((is_left || made) && !may_be_gone && !is_of_key)
        .then(|| format!("{} ms: project {} is said not to be there", change.asked_ms, change.project))
}

/// Whether somebody else may have removed that key before.
fn ends_before(history: &RegistryHistory, change: &Change, id: &str) -> bool {
    history.changes.iter().any(|other| {
        !std::ptr::eq(other, change)
            && other.project == change.project
            && other.what == What::Remove(id.to_owned())
            && other.may_be_done()
            && other.asked_ms <= change.ended_ms
    })
}

#[cfg(test)]
mod tests {
    use super::super::history::Shown;
    use super::super::holder::HeldKey;
    use super::*;

    fn key(project: &str, id: &str) -> HeldKey {
        HeldKey::of(project, id, &"A".repeat(43)).expect("a key")
    }

    fn change(what: What, asked_ms: u64, status: Option<u16>, made: Option<&str>) -> Change {
        let key = made.map(|id| key("p", id));
        let usable_ms = made.map(|_| asked_ms + 200_000);
        Change { project: "p".to_owned(), what, asked_ms, ended_ms: asked_ms + 10, status, key, usable_ms }
    }

    fn probe(project: &str, of: &str, id: &str, asked_ms: u64, status: u16) -> Probe {
        let (project, of, key) = (project.to_owned(), of.to_owned(), id.to_owned());
        Probe { project, of, key, asked_ms, ended_ms: asked_ms + 10, status: Some(status) }
    }

    /// A project with two keys, of which `b` is removed at 1,000 s.
    fn history() -> RegistryHistory {
        let changes = vec![
            change(What::Create, 1_000, Some(201), Some("a")),
            change(What::Add, 2_000, Some(201), Some("b")),
            change(What::Remove("b".to_owned()), 1_000_000, Some(204), None),
        ];
        RegistryHistory { changes, ..RegistryHistory::default() }
    }

    fn counts(history: &RegistryHistory) -> usize {
        check(history).len()
    }

    #[test]
    fn a_key_is_good_from_when_it_is_usable_until_somebody_asks_to_remove_it() {
        for (id, asked_ms, status, failed_ms, expected) in [
            ("a", 201_000, 404, None, 0),
            ("a", 201_000, 401, None, 1),
            ("a", 200_999, 401, None, 0),
            ("a", 201_000, 503, None, 0),
            // Nobody has told it anything new since KV has failed.
            ("a", 201_000, 401, Some(1), 0),
            ("a", 901_000, 401, Some(1), 1),
            ("b", 999_989, 401, None, 1),
            ("b", 999_990, 401, None, 0),
            ("b", 1_100_000, 404, None, 0),
            ("b", 1_000_010 + KNOWN_MS, 404, None, 0),
            ("b", 1_000_011 + KNOWN_MS, 404, None, 1),
            ("b", 1_000_011 + KNOWN_MS, 401, None, 0),
            ("b", 1_000_011 + KNOWN_MS, 404, Some(1_000_000), 0),
            ("b", 1_000_011 + KNOWN_MS + FAILED_MS, 404, Some(1_000_000), 1),
            ("never-made", 500_000, 401, None, 0),
        ] {
            let mut history = history();
            history.probes.push(probe("p", "p", id, asked_ms, status));
            history.failed_ms.extend(failed_ms);
            assert_eq!(counts(&history), expected, "{id} {asked_ms} {status} {failed_ms:?}");
        }
    }

    #[test]
    fn what_a_late_put_takes_back_is_so_until_the_record_is_put_once_more() {
        for (id, asked_ms, status) in [("a", 401_000, 401), ("b", 1_200_000, 404)] {
            for (unsure_ms, of, expected) in [
                (asked_ms - AGAIN_MS, "p", 1),
                (asked_ms - AGAIN_MS + 1, "p", 0),
                (asked_ms - AGAIN_MS + 1, "q", 1),
                (asked_ms + 11, "p", 1),
            ] {
                let mut history = history();
                history.probes.push(probe("p", "p", id, asked_ms, status));
                history.unsure_ms.push((unsure_ms, of.to_owned()));
                assert_eq!(counts(&history), expected, "{id} {unsure_ms} {of}");
            }
        }
    }

    #[test]
    fn a_key_is_good_at_no_other_project() {
        for (status, expected) in [(401, 0), (403, 0), (404, 1), (200, 1)] {
            let mut history = history();
            history.probes.push(probe("q", "p", "a", 500_000, status));
            assert_eq!(counts(&history), expected, "{status}");
        }
    }

    #[test]
    fn what_was_acknowledged_is_there_in_the_end_and_a_key_always() {
        for (keys, expected) in [
            (Some(&["a"][..]), 0),
            (Some(&["a", "made by one who was never told"]), 0),
            // It was removed.
            (Some(&["a", "b"]), 1),
            // It was not, and there is none.
            (Some(&[]), 2),
            (None, 2),
        ] {
            let mut history = history();
            let keys = keys.map(|keys| keys.iter().map(|id| (*id).to_owned()).collect());
            history.shown.push(Shown { project: "p".to_owned(), keys });
            assert_eq!(counts(&history), expected);
        }
        let mut history = history();
        history.changes.push(change(What::Delete, 2_000_000, None, None));
        for keys in [None, Some(vec!["a".to_owned()])] {
            history.shown = vec![Shown { project: "p".to_owned(), keys }];
            assert_eq!(counts(&history), 0, "nobody knows whether it was deleted");
        }
    }

    #[test]
    fn what_the_earlier_system_has_left_is_there() {
        let mut history = RegistryHistory { left: vec![key("p", "imported-1")], ..RegistryHistory::default() };
        history.probes.push(probe("p", "p", "imported-1", 1, 401));
        assert_eq!(counts(&history), 1);
        history.probes.clear();
        history.changes.push(change(What::Add, 5, Some(404), None));
        assert_eq!(counts(&history), 1);
        history.changes.insert(0, change(What::Delete, 1, Some(503), None));
        assert_eq!(counts(&history), 0);
    }

    #[test]
    fn a_key_that_another_one_has_removed_is_not_there() {
        let mut history = history();
        history.changes.push(change(What::Remove("b".to_owned()), 1_100_000, Some(404), None));
        assert_eq!(counts(&history), 0);
        history.changes.push(change(What::Remove("a".to_owned()), 1_200_000, Some(404), None));
        assert_eq!(counts(&history), 1);
    }
}
