//! The script asked of the simulator and of the real runtime: status, headers, bodies and rows written agree.

use tailrace_tests::fidelity::{Step, check_expectation, run_real, run_simulated, script};

#[test]
fn the_simulator_and_the_runtime_give_the_same_answers() {
    let origin = std::env::var("TAILRACE_WORKERD_URL")
        .expect("TAILRACE_WORKERD_URL is not set: `cargo xtask test` starts a Worker and sets it");
    let steps = script();
    let (simulated, real) = (run_simulated(&steps), run_real(&origin, &steps));
    let asks = steps.iter().filter_map(|step| match step {
        Step::Ask(ask) => Some(ask),
        Step::Sleep(_) => None,
    });
    let mut wrong = Vec::new();
    for ((ask, simulated), real) in asks.zip(&simulated).zip(&real) {
        wrong.extend(check_expectation(ask, real));
        if simulated != real {
            wrong.push(format!("line {}: simulated {simulated:?}\nreal {real:?}", ask.line));
        }
    }
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n"));
    println!("{} answers agree", real.len());
}
