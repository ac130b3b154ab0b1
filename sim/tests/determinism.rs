//! The same seed runs the same, byte for byte, in any process: without that no failing seed can be replayed.

use std::process::Command;

/// The whole trace of a seed, from a process of its own.
fn trace(seed: u64) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(["replay", &seed.to_string(), "--trace"])
        .output()
        .expect("the simulator starts");
    let text = String::from_utf8(output.stdout).expect("a trace is text");
    assert!(text.lines().count() > 20, "seed {seed} has hardly a trace:\n{text}");
    text
}

#[test]
fn a_seed_gives_the_same_trace_in_two_processes() {
    for seed in 0..12 {
        let (first, second) = (trace(seed), trace(seed));
        if first != second {
            let parts = first.lines().zip(second.lines()).enumerate().find(|(_, (one, other))| one != other);
            panic!("seed {seed} differs first at {parts:?}\nreplay: cargo sim replay {seed} --trace");
        }
    }
}

#[test]
fn different_seeds_give_different_traces() {
    let mut traces: Vec<String> = (0..6).map(trace).collect();
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), 6);
}
