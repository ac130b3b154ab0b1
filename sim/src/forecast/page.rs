//! Forecasts as a page.

use super::table::Row;
use super::workload::Workload;
use crate::crowd::Knobs;

/// One self-contained page.
pub(super) fn page(_workload: &Workload, _rows: &[Row], _knobs: Knobs, _tells: &dyn Fn(&str)) -> String {
    String::new()
}
