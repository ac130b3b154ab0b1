//! Measured beside simulated; and what moves when a guess is halved or doubled.

use super::parameters::PARAMETERS;
use super::table::{ROWS, Row, Use};
use super::trials::{Effort, Outcome, trials};
use crate::crowd::knobs::Knobs;

/// How far a row may be from what was measured, in points.
const WITHIN: f64 = 5.0;

/// Rows by which sensitivity is told: the largest, a middle one and the smallest of those with markers, and a zone's.
const TELLING: [&str; 5] =
    ["922, markers", "248, markers", "48 on each of 10, markers", "922, stagger 100", "zone, 50 Workers"];

/// A report, and whether each row that is asserted is near enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// As text.
    pub text: String,
    /// The names of the asserted rows that are too far from what was measured.
    pub missed: Vec<&'static str>,
}

/// Runs all rows.
pub fn report(knobs: &Knobs, effort: Effort) -> Report {
    let outcomes = trials(ROWS, knobs, effort);
    let rows: Vec<(&Row, &Outcome)> = ROWS.iter().zip(&outcomes).collect();
    let Effort { seeds, seconds } = effort;
    let mut text = format!("{seeds} seeds of {seconds} s each, by these guesses:\n");
    for parameter in PARAMETERS.iter().filter(|parameter| parameter.is_guess) {
        text.push_str(&format!("  {} {}\n", parameter.name, parameter.of(knobs)));
    }
    let mut missed = Vec::new();
    for name in ["fitted", "tested", "not asserted"] {
        text.push_str(&format!(
            "\n{name:<34} {:>9} {:>9} {:>7}   {:>8} {:>8} {:>8} {:>8}   {:>8} {:>8}\n",
            "measured", "simulated", "points", "p50", "ours", "p99", "a key", "BYPASS", "ours"
        ));
        for (row, outcome) in rows.iter().filter(|(row, _)| row.used.name() == name) {
            let distance = row.distance(outcome.hit_percent);
            let is_near = distance.abs() <= WITHIN;
            text.push_str(&line(row, outcome, distance));
            match row.used {
                Use::Told(why) => text.push_str(&format!("    {why}\n")),
                Use::Fitted | Use::Tested if is_near => {}
                Use::Fitted | Use::Tested => missed.push(row.name),
            }
        }
    }
    for name in &missed {
        text.push_str(&format!("\nmore than {WITHIN} points from what was measured: {name}"));
    }
    if !missed.is_empty() {
        text.push('\n');
    }
    Report { text, missed }
}

fn line(row: &Row, outcome: &Outcome, distance: f64) -> String {
    let measured = match row.measured {
        (from, to) if from == to => format!("{from}"),
        (from, to) => format!("{from}-{to}"),
    };
    let told = |figure: u64| if figure == 0 { String::new() } else { figure.to_string() };
    let (p50, bypass) = (told(row.p50_ms), told(row.bypassed));
    let Outcome { hit_percent, p50_ms, p99_ms, a_key, bypassed } = outcome;
    format!(
        "{:<34} {measured:>9} {hit_percent:>9.1} {distance:>+7.1}   {p50:>8} {p50_ms:>8.0} {p99_ms:>8.0} {a_key:>8.1}   \
         {bypass:>8} {bypassed:>8.1}\n",
        row.name
    )
}

/// What moves when each guess is halved and doubled, in points of each of a few rows.
pub fn sensitivity(knobs: &Knobs, effort: Effort) -> String {
    let rows: Vec<Row> = ROWS.iter().filter(|row| TELLING.contains(&row.name)).copied().collect();
    let base = trials(&rows, knobs, effort);
    let mut text = format!("{:<28}", "HIT, in percent");
    rows.iter().for_each(|row| text.push_str(&format!(" {:>26}", row.name)));
    text.push_str(&format!("\n{:<28}", "as it is"));
    base.iter().for_each(|outcome| text.push_str(&format!(" {:>26.1}", outcome.hit_percent)));
    text.push('\n');
    for parameter in PARAMETERS {
        let value = parameter.of(knobs);
        for other in [value / 2, value * 2] {
            let outcomes = trials(&rows, &parameter.with(knobs, other), effort);
            text.push_str(&format!("{:<28}", format!("{} {value} -> {other}", parameter.name)));
            for (outcome, base) in outcomes.iter().zip(&base) {
                text.push_str(&format!(" {:>+26.1}", outcome.hit_percent - base.hit_percent));
            }
            text.push('\n');
        }
    }
    text
}
