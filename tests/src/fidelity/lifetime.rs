//! What an append costs over its whole life, in rows written: from the request to the segment in R2 and the dropped
//! table, including the rows of the alarm.

use super::script::parse;
use super::{Answer, SEGMENT_ROWS, Step};

/// How many appends: three full segments.
const APPENDS: u64 = 3 * SEGMENT_ROWS;

/// The most rows that an append may cost, in thousandths.
const MOST_ROWS_PERMILLE: u64 = 1_010;

/// The requests: they create a stream, append three segments, and ask after each for the work of the alarm.
pub fn lifetime() -> Vec<Step> {
    let mut text =
        "201 PUT /v1/stream/lifetime { content-type: text/plain }\n200 HEAD /v1/stream/lifetime\n".to_owned();
    for append in 1..=APPENDS {
        text.push_str("204 POST /v1/stream/lifetime { content-type: text/plain } = one of many\n");
        if append % SEGMENT_ROWS == 0 {
            let segments = append / SEGMENT_ROWS;
            text.push_str("within 20000\n200 HEAD /v1/stream/lifetime\n");
            text.push_str(&format!("  ~ segments={segments}; waiting=0; sweeps=0\n"));
        }
    }
    parse(&text)
}

/// What is wrong with the bill, if anything is.
pub fn check_lifetime(answers: &[Answer]) -> Option<String> {
    let all = |answer: &Answer| answer.cold("rows");
    let (Some(before), Some(after)) = (answers.get(1).and_then(all), answers.last().and_then(all)) else {
        return Some("there is no bill".to_owned());
    };
    let segments = answers.last().and_then(|answer| answer.cold("segments"));
    if segments != Some(APPENDS / SEGMENT_ROWS) {
        return Some(format!("{segments:?} segments are in R2"));
    }
    let rows = after - before;
    let bounds = APPENDS..=APPENDS * MOST_ROWS_PERMILLE / 1_000;
    (!bounds.contains(&rows)).then(|| format!("{APPENDS} appends cost {rows} rows, not {bounds:?}"))
}
