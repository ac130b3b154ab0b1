//! What each guess does to the bill when it is halved and doubled.

use super::month::{Background, Effort, Forecast};
use super::slice::Case;
use crate::bill::{Meter, dollars};
use crate::crowd::calibration::PARAMETERS;

/// Seeds of each, which are the same for all: what differs is what the guess does.
const SEEDS: u64 = 2;

/// As a table.
pub(super) fn sensitivity(case: Case<'_>, background: &Background, tells: &dyn Fn(&str)) -> String {
    let effort = Effort { seeds: SEEDS, most_seeds: SEEDS };
    let base = Forecast::of(case, background, effort, tells);
    let mut text = format!("{}: dollars a month, {}\n", case.deployment.name, dollars(base.costs()));
    let mut add = |name: &str, from: String, to: String, costs: i128| {
        let sign = if costs < 0 { '-' } else { '+' };
        let dollars = dollars(costs.unsigned_abs().min(u128::from(u64::MAX)) as u64);
        text.push_str(&format!("{name:<28} {from:>10} -> {to:<10} {:>12}\n", format!("{sign}{dollars}")));
    };
    for parameter in PARAMETERS.iter().filter(|parameter| parameter.is_guess) {
        let value = parameter.of(&case.knobs);
        for other in [value / 2, value * 2] {
            let knobs = parameter.with(&case.knobs, other);
            let forecast = Forecast::of(Case { knobs, ..case }, background, effort, tells);
            let more = i128::from(forecast.costs()) - i128::from(base.costs());
            add(parameter.name, value.to_string(), other.to_string(), more);
        }
    }
    // What is not simulated is so much more or less of its line, after what is included.
    for (name, meter) in [("CPU of the edge", Meter::WorkerCpuUs), ("turns of objects", Meter::ObjectMs)] {
        let Some(line) = base.estimate.mean.lines.iter().find(|line| line.meter == meter) else { continue };
        let price = meter.price().expect("both have a price");
        for (factor, count) in [("x 0.5", line.count / 2), ("x 2", line.count.saturating_mul(2))] {
            add(name, String::new(), factor.to_owned(), i128::from(price.of(count)) - i128::from(line.costs));
        }
    }
    text
}
