//! The rows that requests read. Workers bill them, whether they are handed over or not, and tell them. A plain SQLite does
//! not count them: the simulator does, by the program of each statement (`sim/src/world/sql/reads.rs`). So the two are
//! held against each other, and the real ones against a bound for each kind of request: a few, however long the log is.

use std::collections::BTreeMap;

use super::{Answer, Ask};

/// By how many rows what the runtime tells of a request may differ from what the simulator counts.
struct Declared {
    /// The request's method; an empty one is any other.
    method: &'static str,
    /// How many rows fewer the runtime may tell.
    fewer: u64,
    /// How many rows more.
    more: u64,
}

/// What may differ.
///
/// | where | why |
/// | --- | --- |
/// | an append, by one | a producer's key is there, and its epoch or its number is not the one asked for: nothing is handed over |
/// | a creation, a deletion, a HEAD, by one | whether an alarm has dropped the table of duties yet: the schema has a row for it |
/// | a deletion, by two | duties of the agenda are looked for by a list of their kinds, of which the program tells only the length |
/// | a page, by some | the runtime looks for a row or two more than fit; what an alarm does meanwhile decides which table has them |
const DECLARED: &[Declared] = &[
    Declared { method: "POST", fewer: 0, more: 1 },
    Declared { method: "PUT", fewer: 1, more: 1 },
    Declared { method: "DELETE", fewer: 2, more: 1 },
    Declared { method: "HEAD", fewer: 1, more: 1 },
    Declared { method: "", fewer: 1, more: 3 },
];

/// Of so many requests at most one may differ. Of the script's 371 some 19 do, a few more or less as alarms fall on the real
/// runtime; 36 did when the simulator forgot the platform's own table of the alarm.
const DIFFERS_ONE_IN: usize = 12;

/// The most rows that a request of a method may read, by the length of the answer's body.
fn most(method: &str, body_bytes: usize) -> u64 {
    match method {
        "POST" => 40,
        "HEAD" => 60,
        "PUT" | "DELETE" => 150,
        // A page of the script has no row of less than one byte.
        _ => 60 + body_bytes.min(100) as u64,
    }
}

/// The most rows that a request of each method has read, in one line.
pub fn describe_rows_read<'a>(asked: impl Iterator<Item = (&'a Ask, &'a Answer)>) -> String {
    let mut found = BTreeMap::new();
    for (ask, answer) in asked {
        let most = found.entry(ask.method.as_str()).or_insert(0);
        *most = answer.rows_read.unwrap_or_default().max(*most);
    }
    let told: Vec<_> = found.iter().map(|(method, most)| format!("{method} {most}")).collect();
    format!("rows read at most: {}", told.join(", "))
}

/// What is wrong with the rows that a request has read on the real runtime, if anything is.
pub fn check_rows_read(ask: &Ask, simulated: &Answer, real: &Answer) -> Option<String> {
    let wrong = compared(&ask.method, simulated.rows_read, real.rows_read).or_else(|| {
        // An answer of the edge alone reads nothing, and says nothing of rows.
        real.rows?;
        let (most, rows) = (most(&ask.method, real.body.len()), real.rows_read);
        rows.is_none_or(|rows| rows > most).then(|| format!("{rows:?} rows read, and {most} at most"))
    });
    wrong.map(|what| format!("line {}: {} {}: {what}", ask.line, ask.method, ask.target))
}

/// What is wrong with how many requests read as many rows on the real runtime as in the simulator, if anything is; and
/// how many do, of those that read any.
pub fn check_equal_reads<'a>(answers: impl Iterator<Item = (&'a Answer, &'a Answer)>) -> (Option<String>, String) {
    let told: Vec<_> = answers.filter_map(|(simulated, real)| simulated.rows_read.zip(real.rows_read)).collect();
    let differ = told.iter().filter(|(simulated, real)| simulated != real).count();
    let described = format!("{} of {} read as many rows", told.len() - differ, told.len());
    let wrong = is_too_much(differ, told.len()).then(|| format!("only {described}"));
    (wrong, described)
}

fn is_too_much(differ: usize, told: usize) -> bool {
    differ * DIFFERS_ONE_IN > told
}

fn compared(method: &str, simulated: Option<u64>, real: Option<u64>) -> Option<String> {
    let (Some(simulated), Some(real)) = (simulated, real) else {
        return (simulated != real).then(|| format!("rows read: simulated {simulated:?}, real {real:?}"));
    };
    let declared = DECLARED.iter().find(|declared| declared.method == method || declared.method.is_empty())?;
    let told = simulated.saturating_sub(declared.fewer)..=simulated + declared.more;
    (!told.contains(&real)).then(|| format!("{real} rows read, and {told:?} by the simulator's {simulated}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_differ_by_no_more_than_is_declared() {
        for (method, simulated, real, agrees) in [
            ("POST", Some(1), Some(1), true),
            ("POST", Some(1), Some(2), true),
            ("POST", Some(1), Some(3), false),
            ("POST", Some(1), Some(0), false),
            ("PUT", Some(4), Some(4), true),
            ("PUT", Some(4), Some(5), true),
            ("PUT", Some(4), Some(6), false),
            ("PUT", Some(4), Some(3), true),
            ("PUT", Some(4), Some(2), false),
            ("DELETE", Some(8), Some(6), true),
            ("DELETE", Some(8), Some(5), false),
            ("DELETE", Some(8), Some(9), true),
            ("DELETE", Some(8), Some(10), false),
            ("HEAD", Some(3), Some(3), true),
            ("HEAD", Some(3), Some(4), true),
            ("HEAD", Some(3), Some(5), false),
            ("HEAD", Some(3), Some(2), true),
            ("HEAD", Some(3), Some(1), false),
            ("GET", Some(4), Some(3), true),
            ("GET", Some(4), Some(7), true),
            ("GET", Some(4), Some(2), false),
            ("GET", Some(4), Some(8), false),
            ("GET", None, None, true),
            ("GET", None, Some(0), false),
            ("GET", Some(0), None, false),
        ] {
            assert_eq!(compared(method, simulated, real).is_none(), agrees, "{method} {simulated:?} {real:?}");
        }
    }

    #[test]
    fn nearly_all_requests_read_as_many() {
        for (differ, told, wrong) in
            [(0, 0, false), (0, 10, false), (1, 12, false), (1, 11, true), (19, 371, false), (36, 371, true)]
        {
            assert_eq!(is_too_much(differ, told), wrong, "{differ} of {told}");
        }
    }
}
