//! Shrinking a failing seed leaves a short history that still fails.

use tailrace_sim::judge::mutants::Entry;
use tailrace_sim::judge::report;
use tailrace_sim::judge::scenario::Scenario;
use tailrace_sim::judge::shrink::shrink;
use tailrace_sim::judge::swarm::judge;

/// Shrinks the first seed that catches a known bug. Few events are left, and they still catch it, also after a round
/// trip through text.
fn check(name: &str, most_events: usize) {
    let entry = Entry::named(name).expect("a registered bug");
    let caught = entry.hunt(0).expect("it is caught");
    let invariant = caught.invariants[0];
    let scenario = Scenario::draw(caught.seed);
    let shrunk = shrink(&scenario, Some(entry.bug), invariant);
    assert!(shrunk.events.len() <= most_events, "{name}: {} events are left\n{shrunk}", shrunk.events.len());
    let again: Scenario = shrunk.to_string().parse().expect("a scenario");
    assert!(judge(&again, Some(entry.bug), false).violates(invariant), "{name} does not fail any more:\n{again}");
    assert!(judge(&again, None, false).violations.is_empty(), "it is the bug that fails:\n{again}");
}

#[test]
fn a_duplicate_shrinks_to_its_stream_and_its_producer() {
    check("dedupe-off", 4);
}

#[test]
fn a_lost_acknowledged_append_shrinks_to_the_crash_that_lost_it() {
    check("answer-before-gate", 6);
}

#[test]
fn an_early_end_shrinks_to_the_touches_before_it() {
    check("expiry-before-last-touch", 5);
}

#[test]
fn a_report_names_seed_invariant_history_and_the_command_that_replays_it() {
    let entry = Entry::named("dedupe-off").expect("a registered bug");
    let caught = entry.hunt(0).expect("it is caught");
    let text = report::failure(caught.seed, Some(entry.bug));
    let replay = format!("cargo sim replay {} --mutant dedupe-off", caught.seed);
    for part in [&format!("seed {} fails", caught.seed), "once of stream", "POST", "stream ", &replay] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}
