//! Forecasts as JSON.

use serde_json::{Value, json};

use super::table::Row;
use super::workload::Workload;
use crate::bill::Invoice;

/// Of a workload, by each deployment. Dollars are numbers with six digits after the point at most.
pub(super) fn json(workload: &Workload, rows: &[Row]) -> Value {
    let row = |row: &Row| {
        let forecast = &row.forecast;
        let (p50, p99) = forecast.delay_ms.unzip();
        json!({
            "deployment": row.deployment.name,
            "policy": row.deployment.policy.name,
            "beside_plan": dollars(forecast.costs()),
            "half_width": if forecast.infeasible.is_none() { json!(dollars(forecast.half_width())) } else { Value::Null },
            "fixed": dollars(forecast.fixed),
            "lines": lines(&forecast.estimate.mean, &forecast.estimate.low, &forecast.estimate.high, forecast.infeasible.is_none()),
            "hit_percent": forecast.hit_percent,
            "delay_ms": { "p50": p50, "p99": p99 },
            "asked_a_second": forecast.asked_a_second,
            "infeasible": forecast.infeasible,
            "breaks": row.breaks,
            "seeds": forecast.seeds,
        })
    };
    json!({
        "readers": workload.readers,
        "streams": workload.streams,
        "writes_a_month": workload.writes_a_month(),
        "deployments": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn lines(mean: &Invoice, low: &Invoice, high: &Invoice, is_known: bool) -> Vec<Value> {
    let line = |line: &crate::bill::Line| {
        let interval = [low, high].map(|invoice| dollars(invoice.costs(line.meter)));
        json!({
            "meter": line.meter.name(),
            "count": line.count,
            "dollars": dollars(line.costs),
            "interval": if is_known { json!(interval) } else { Value::Null },
        })
    };
    mean.lines.iter().map(line).collect()
}

fn dollars(millionths: u64) -> f64 {
    millionths as f64 / 1e6
}
