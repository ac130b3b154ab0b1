//! The script of fidelity, sent to the simulator alone: its answers are what the script says.

use tailrace_tests::fidelity::{Step, check_expectation, check_lifetime, lifetime, run_simulated, script};

#[test]
fn the_simulator_answers_as_the_script_says() {
    let steps = script();
    let answers = run_simulated(&steps);
    let asks = steps.iter().filter_map(|step| match step {
        Step::Ask(ask) => Some(ask),
        Step::Sleep(_) => None,
    });
    let wrong: Vec<_> = asks.zip(&answers).filter_map(|(ask, answer)| check_expectation(ask, answer)).collect();
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn an_append_costs_little_more_than_its_row_over_its_whole_life() {
    assert_eq!(check_lifetime(&run_simulated(&lifetime())), None);
}
