//! Forecasts as text: one of them line by line, and several side by side.

use super::deployment::Deployment;
use super::month::Forecast;
use crate::bill::{Invoice, Meter, PLAN, dollars};

/// The columns of a comparison: what they are called, and the meters whose costs they add.
const COLUMNS: [(&str, &[Meter]); 6] = [
    ("requests", &[Meter::WorkerRequests]),
    ("CPU", &[Meter::WorkerCpuUs]),
    ("objects", &[Meter::ObjectRequests, Meter::SocketMessages]),
    ("duration", &[Meter::ObjectMs]),
    ("rows", &[Meter::RowsRead, Meter::RowsWritten]),
    ("stored", &[Meter::SqliteByteHours, Meter::R2ByteHours, Meter::R2ClassA, Meter::R2ClassB]),
];

/// A deployment in a comparison.
#[derive(Clone, Debug)]
pub struct Row {
    /// How it is deployed.
    pub deployment: Deployment,
    /// What that costs.
    pub forecast: Forecast,
    /// The names of the invariants that its policy breaks.
    pub breaks: Vec<&'static str>,
}

impl Row {
    /// What stands in its way, if anything does.
    pub fn objection(&self) -> Option<String> {
        let breaks = (!self.breaks.is_empty()).then(|| format!("breaks {}", self.breaks.join(", ")));
        breaks.or_else(|| self.forecast.infeasible.as_ref().map(|_| "not feasible".to_owned()))
    }
}

/// A forecast, line by line, with the interval of each line.
pub(super) fn lines(row: &Row) -> String {
    let Row { deployment, forecast, .. } = row;
    let estimate = &forecast.estimate;
    let mut text = format!("{}\n", deployment.name);
    if let Some(limit) = &forecast.infeasible {
        text.push_str(&format!("NOT FEASIBLE: {limit}; priced by one seed all the same\n"));
    }
    text.push_str(&format!("{:<24} {:>18} {:>12}   {}\n", "a month", "count", "dollars", "with 95 % confidence"));
    for line in &estimate.mean.lines {
        let [low, high] = [&estimate.low, &estimate.high].map(|invoice| dollars(invoice.costs(line.meter)));
        let interval = if forecast.infeasible.is_none() { format!("{low} to {high}") } else { String::new() };
        text.push_str(&format!(
            "{:<24} {:>18} {:>12}   {interval}\n",
            line.meter.name(),
            line.count,
            dollars(line.costs)
        ));
    }
    if let Some((what, costs)) = deployment.fixed {
        text.push_str(&format!("{what:<24} {:>18} {:>12}\n", "", dollars(costs)));
    }
    let half =
        if forecast.infeasible.is_none() { format!("+- {}", dollars(forecast.half_width())) } else { String::new() };
    text.push_str(&format!(
        "{:<24} {:>18} {:>12}   {half}\n",
        "beside the plan's",
        dollars(PLAN),
        dollars(forecast.costs())
    ));
    text.push_str(&format!("seeds of each kind of cycle: {}", forecast.seeds));
    if forecast.infeasible.is_none() && !forecast.estimate.is_precise() {
        text.push_str("; the interval is wider than 2 % all the same");
    }
    text.push('\n');
    text
}

/// Several side by side: dollars a month beside the plan.
pub(super) fn comparison(rows: &[Row]) -> String {
    let mut text = format!("{:<46} {:>10} {:>7}", "dollars a month, beside the plan", "all", "+-");
    COLUMNS.iter().for_each(|(name, _)| text.push_str(&format!(" {name:>9}")));
    text.push_str(&format!(" {:>6} {:>6} {:>6} {:>6} {:>7}  \n", "fixed", "HIT %", "p50", "p99", "asked/s"));
    for row in rows {
        let forecast = &row.forecast;
        let half = if forecast.infeasible.is_none() { dollars(forecast.half_width()) } else { "?".to_owned() };
        text.push_str(&format!("{:<46} {:>10} {half:>7}", row.deployment.name, dollars(forecast.costs())));
        for costs in costs(&forecast.estimate.mean) {
            text.push_str(&format!(" {:>9}", dollars(costs)));
        }
        let told = |figure: Option<f64>, digits: usize| figure.map_or("-".to_owned(), |it| format!("{it:.digits$}"));
        let (p50, p99) = forecast.delay_ms.unzip();
        text.push_str(&format!(
            " {:>6} {:>6} {:>6} {:>6} {:>7.1}  {}\n",
            dollars(forecast.fixed),
            told(forecast.hit_percent, 2),
            told(p50, 0),
            told(p99, 0),
            forecast.asked_a_second,
            row.objection().unwrap_or_default()
        ));
    }
    let best = rows.iter().filter(|row| row.objection().is_none()).min_by_key(|row| row.forecast.costs());
    if let Some(best) = best {
        text.push_str(&format!("\nthe cheapest that holds: {}\n", best.deployment.name));
    }
    text
}

/// What each column costs, in millionths of a dollar.
pub(super) fn costs(invoice: &Invoice) -> [u64; COLUMNS.len()] {
    COLUMNS.map(|(_, meters)| meters.iter().map(|meter| invoice.costs(*meter)).sum())
}

/// The names of the columns.
pub(super) fn column_names() -> [&'static str; COLUMNS.len()] {
    COLUMNS.map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_comparison_are_all_that_a_workload_can_cost() {
        // Without KV and queues, which nothing uses yet.
        let others = ["KV reads", "KV writes", "KV deletions", "KV listings", "queue operations"];
        for meter in Meter::ALL.iter().filter(|meter| meter.price().is_some()) {
            let columns = COLUMNS.iter().filter(|(_, meters)| meters.contains(meter)).count();
            assert_eq!(columns, usize::from(!others.contains(&meter.name())), "{}", meter.name());
        }
    }
}
