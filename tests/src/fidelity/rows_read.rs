//! The most rows that a request may read, by its kind: a few, however long the log is. Workers bill them; a plain SQLite
//! does not count them, so only the real runtime is held to these bounds here.

use std::collections::BTreeMap;

use super::{Answer, Ask};

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

/// What is wrong with the rows that a request has read, if anything is.
pub fn check_rows_read(ask: &Ask, answer: &Answer) -> Option<String> {
    // An answer of the edge alone reads nothing, and says nothing of rows.
    answer.rows?;
    let most = most(&ask.method, answer.body.len());
    let described = |what: String| Some(format!("line {}: {} {}: {what}", ask.line, ask.method, ask.target));
    match answer.rows_read {
        None => described("its rows are not counted".to_owned()),
        Some(rows) if rows > most => described(format!("{rows} rows read, and {most} at most")),
        Some(_) => None,
    }
}
