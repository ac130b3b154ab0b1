//! From a failing seed to a file that fails again: `cargo sim shrink SEED --keep FILE`.

use std::fs;
use std::path::Path;
use std::process::Command;

use tailrace_sim::mutants::Entry;

const BUG: &str = "dedupe-off";

/// Whether the command succeeds.
fn sim(arguments: &[&str]) -> bool {
    let output = Command::new(env!("CARGO_BIN_EXE_sim")).args(arguments).output().expect("the simulator runs");
    output.status.success()
}

#[test]
fn a_shrunk_seed_is_kept_as_a_file_that_fails_again_and_that_nothing_replaces() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kept.txt");
    let file = path.to_str().expect("a path of text");
    // What an earlier run of this test has left.
    fs::remove_file(&path).ok();
    let seed = Entry::named(BUG).and_then(|entry| entry.hunt(0)).expect("it is caught").seed.to_string();

    assert!(!sim(&["shrink", &seed, "--keep", file]), "without the bug the seed holds, and there is nothing to keep");
    assert!(!path.exists());
    assert!(sim(&["shrink", &seed, "--mutant", BUG, "--keep", file]));
    let kept = fs::read_to_string(&path).expect("a kept scenario");
    let comments: Vec<&str> = kept.lines().take_while(|line| line.starts_with('#')).collect();
    assert!(comments[0].starts_with("# once of stream s"), "{kept}");
    assert_eq!(*comments.last().unwrap(), format!("# cargo sim replay --scenario {file} --mutant {BUG}"));

    assert!(!sim(&["replay", "--scenario", file, "--mutant", BUG]), "it fails again:\n{kept}");
    assert!(sim(&["replay", "--scenario", file]), "it holds without the bug:\n{kept}");
    assert!(!sim(&["shrink", &seed, "--mutant", BUG, "--keep", file]), "a file that is there is not replaced");
    assert_eq!(fs::read_to_string(&path).expect("a kept scenario"), kept);
}
