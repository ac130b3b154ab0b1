//! The script, sent to the simulator and to the real runtime: status, headers, bodies and rows written must agree, and rows
//! read as far as is declared. The calls of R2 that the simulator has counted go to a file, for whoever has counted the real
//! ones.

use std::io::Write as _;

use tailrace_tests::fidelity::{
    Answer, Step, check_equal_reads, check_expectation, check_lifetime, check_rows_read, describe_rows_read, lifetime,
    run_billed, run_real, script,
};

#[test]
fn the_simulator_and_the_runtime_give_the_same_answers() {
    check(&script());
}

/// The rows that the alarm writes are counted too, so both hosts have to count them alike.
#[test]
fn an_append_costs_little_more_than_its_row_over_its_whole_life() {
    assert_eq!(check_lifetime(&check(&lifetime())), None);
}

/// The answers of the real runtime, after a check that the simulator gives the same.
fn check(steps: &[Step]) -> Vec<Answer> {
    let origin = std::env::var("TAILRACE_WORKERD_URL")
        .expect("TAILRACE_WORKERD_URL is not set: `cargo xtask test` starts a Worker and sets it");
    let ((simulated, calls), real) = (run_billed(steps), run_real(&origin, steps));
    if let Some(file) = std::env::var_os("TAILRACE_BUCKET_CALLS") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).expect("a file");
        file.write_all(format!("{calls}\n").as_bytes()).expect("a line");
    }
    let asks = steps.iter().filter_map(|step| match step {
        Step::Ask(ask) => Some(ask),
        Step::Sleep(_) => None,
    });
    let mut wrong = Vec::new();
    let described = describe_rows_read(asks.clone().zip(&real));
    for ((ask, simulated), real) in asks.zip(&simulated).zip(&real) {
        wrong.extend(check_expectation(ask, real));
        wrong.extend(check_rows_read(ask, simulated, real));
        if !simulated.agrees(real, ask) {
            wrong.push(format!("line {}: simulated {simulated:?}\nreal {real:?}", ask.line));
        }
    }
    let (too_few, equal) = check_equal_reads(simulated.iter().zip(&real));
    wrong.extend(too_few);
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n"));
    println!("{} answers agree, {equal}; {described}", real.len());
    real
}
