//! How much a statement may look at. Workers bill every row that a statement reads, whether it hands it over or not, and
//! a turn is as long as its statements. A plain SQLite does not count rows read; it counts the steps of its machine,
//! some for each row. So a statement may take steps for the rows that it hands over or writes, and for a few more: for
//! the tables that there are, the duties of an object, and what it seeks. One that looks through a log to find one row
//! takes more, and the bill is wrong.

/// Steps for each row that is handed over or written. The most that were seen are 30: a page has a dozen expressions.
const STEPS_A_ROW: u64 = 40;

/// Steps besides those for rows. The most that were seen are 120: some ten rows of the schema, or of the agenda.
const STEPS_A_STATEMENT: u64 = 200;

/// What is wrong with a statement that took so many steps for so many rows, if anything is.
pub(crate) fn excess(sql: &str, steps: u64, rows: u64) -> Option<String> {
    let most = STEPS_A_STATEMENT + STEPS_A_ROW * rows;
    (steps > most).then(|| format!("{steps} steps for {rows} rows, and {most} at most: {sql}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_that_is_handed_over_is_worth_some_steps() {
        for (steps, rows, is_too_much) in
            [(0, 0, false), (200, 0, false), (201, 0, true), (240, 1, false), (241, 1, true), (40_201, 1_000, true)]
        {
            assert_eq!(excess("SELECT 1", steps, rows).is_some(), is_too_much, "{steps} steps for {rows} rows");
        }
    }
}
