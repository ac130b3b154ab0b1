//! Forecasts as one self-contained page: a table, and what the bill depends on.

use super::deployment::Deployment;
use super::month::{Background, Effort, Forecast};
use super::plot::{Plot, Points, escaped};
use super::slice::Case;
use super::table::{Row, column_names, costs};
use super::workload::Workload;
use crate::bill::dollars;
use crate::crowd::{Class, Knobs};

/// Seeds of each point of a plot, which are the same for all of them.
const SEEDS: u64 = 2;
/// So many times as many readers, and as many messages.
const TIMES: [f64; 5] = [0.01, 0.03, 0.1, 0.3, 1.0];
/// How long connections last, in s.
const LIFETIMES_S: [u64; 6] = [60, 120, 300, 900, 1_800, 3_600];
/// The most deployments that are plotted against something: the cheapest that hold.
const PLOTTED: usize = 5;

/// The most deployments whose latency is plotted: the cheapest that hold.
const NAMED: usize = 10;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:80rem;padding:1rem;color:#1b1b1b;\
background:#fff}h1{font-size:1.6rem;line-height:1.2}h2{font-size:1.2rem;margin-top:2rem}.wide{overflow-x:auto}\
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}\
th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}\
th{vertical-align:bottom}th:last-child{white-space:normal;min-width:9rem}\
th:first-child,td:first-child,td:last-child,th:last-child{text-align:left}tr.best{background:#e8f4ec;font-weight:600}\
tr.out{color:#6b6b6b}.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,34rem),1fr));gap:1.5rem}\
figure{margin:0}figcaption{font-weight:600}.plots figure{overflow-x:auto}svg{width:100%;min-width:38rem;height:auto}\
figure ul{display:none}@media(max-width:44rem){figure ul{display:block;margin:.2rem 0 0;padding:0;list-style:none;\
font-size:.85rem}th:first-child,td:first-child{white-space:normal;min-width:8rem}}li i{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.5em}\
svg text{font:14px system-ui,sans-serif;fill:#444}svg text.name{fill:#1b1b1b}svg .grid{stroke:#e4e4e4}\
svg .marked{fill:none;stroke:#1b1b1b;stroke-width:1.5}";

/// The page. Plots take more runs, of which `tells` is told.
pub(super) fn page(
    workload: &Workload,
    rows: &[Row],
    background: &Background,
    knobs: Knobs,
    tells: &dyn Fn(&str),
) -> String {
    let mut holding: Vec<&Row> = rows.iter().filter(|row| row.objection().is_none()).collect();
    holding.sort_by_key(|row| row.forecast.costs());
    let plotted: Vec<&Deployment> = holding.iter().take(PLOTTED).map(|row| &row.deployment).collect();
    let price = |workload: &Workload, deployment: &Deployment, background: &Background| {
        let case = Case { workload, deployment, knobs };
        let effort = Effort { seeds: SEEDS, most_seeds: SEEDS };
        let forecast = Forecast::of(case, background, effort, tells);
        forecast.infeasible.is_none().then(|| forecast.costs() as f64 / 1e6)
    };
    let lines = |points: &dyn Fn(&Deployment) -> Points| {
        let line = |deployment: &&Deployment| (deployment.name.clone(), points(deployment));
        plotted.iter().map(line).collect::<Vec<_>>()
    };
    let mut plots = Vec::new();
    if workload.readers > 0 {
        let points = |deployment: &Deployment| {
            let of = |times: f64| {
                let workload = workload.scaled(times, 1.0);
                if workload.readers == 0 {
                    return None;
                }
                Some((workload.readers as f64, price(&workload, deployment, background)?))
            };
            TIMES.iter().filter_map(|times| of(*times)).collect()
        };
        plots.push(joined("Dollars a month, by readers", "readers at any time", lines(&points)));
    }
    if workload.writes_a_month() > 0.0 {
        // As many messages more need as much more in the background, by whichever deployment.
        let of = |times: &f64| {
            let workload = workload.scaled(1.0, *times);
            let deployment = plotted.first()?;
            let background = Background::of(Case { workload: &workload, deployment, knobs });
            Some((workload, background))
        };
        let scaled: Vec<(Workload, Background)> = TIMES.iter().filter_map(of).collect();
        let points = |deployment: &Deployment| {
            let of = |(workload, background): &(Workload, Background)| {
                Some((workload.writes_a_month(), price(workload, deployment, background)?))
            };
            scaled.iter().filter_map(of).collect()
        };
        plots.push(joined("Dollars a month, by messages", "messages a month", lines(&points)));
    }
    let of_lifetimes = |deployment: &Deployment| {
        let of = |seconds: &u64| {
            let deployment = deployment.clone().with_sse_ms(seconds * 1_000);
            Some((*seconds as f64, price(workload, &deployment, background)?))
        };
        let is_by_events = deployment.transport == Class::Events;
        let lifetimes = LIFETIMES_S.iter().filter(|_| is_by_events);
        lifetimes.filter_map(of).collect()
    };
    let by_lifetime = lines(&of_lifetimes);
    if by_lifetime.iter().any(|(_, points)| !points.is_empty()) {
        plots.push(joined("Dollars a month, by how long connections last", "seconds", by_lifetime));
    }
    if let Some(plot) = by_latency(&holding) {
        plots.push(plot);
    }
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>What it costs</title><style>{STYLE}</style></head><body>\
         <h1>What it costs in a month</h1>{}<h2>Ways to deploy, side by side</h2>{}<h2>What the bill depends on</h2>\
         <div class=\"plots\">{}</div></body></html>\n",
        about(workload),
        table(rows, holding.first().copied()),
        plots.iter().map(Plot::svg).collect::<String>()
    )
}

fn joined<'a>(title: &'a str, across: &'a str, series: Vec<(String, Points)>) -> Plot<'a> {
    Plot { title, across, is_log: true, series, is_joined: true, marked: Vec::new() }
}

/// Cost against how long messages take. Marked is what nothing else beats in both.
fn by_latency<'a>(holding: &[&Row]) -> Option<Plot<'a>> {
    let point =
        |row: &&Row| Some((row.deployment.name.clone(), (row.forecast.delay_ms?.0, row.forecast.costs() as f64 / 1e6)));
    let points: Vec<(String, (f64, f64))> = holding.iter().filter_map(point).take(NAMED).collect();
    let is_front = |(x, y): (f64, f64)| {
        !points.iter().any(|(_, (other_x, other_y))| *other_x <= x && *other_y <= y && (*other_x < x || *other_y < y))
    };
    let marked = points.iter().map(|(_, point)| *point).filter(|point| is_front(*point)).collect();
    (!points.is_empty()).then(|| Plot {
        title: "Dollars a month, by how long half of all messages take at most (ringed: nothing is both cheaper and faster)",
        across: "ms",
        is_log: false,
        series: points.iter().map(|(name, point)| (name.clone(), vec![*point])).collect(),
        is_joined: false,
        marked,
    })
}

/// With a comma between thousands.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let place = |index: usize| index > 0 && (digits.len() - index).is_multiple_of(3);
    digits.char_indices().flat_map(|(index, digit)| place(index).then_some(',').into_iter().chain([digit])).collect()
}

fn about(workload: &Workload) -> String {
    let Workload { readers, streams, message_bytes, idle_streams, .. } = workload;
    let idle = match idle_streams {
        0 => String::new(),
        streams => format!(", and {} more streams that are idle", number(*streams)),
    };
    format!(
        "<p>{} readers at any time of {} stream(s), in {} datacenters; {} messages of {} bytes a month{idle}. In dollars, \
         beside the 5 of the plan. Simulated, but for what the edge computes, which is measured, and how long a turn of an \
         object takes, which is assumed; +- is half of the interval that holds the figure with 95 % confidence. Half of all \
         messages reach their readers within p50, and 99 of 100 within p99.</p>",
        number(*readers),
        number(*streams),
        workload.colos().len(),
        number(workload.writes_a_month() as u64),
        number(*message_bytes)
    )
}

fn table(rows: &[Row], best: Option<&Row>) -> String {
    let heads: String = column_names().iter().map(|name| format!("<th>{name}</th>")).collect();
    let mut text = format!(
        "<div class=\"wide\"><table><thead><tr><th>deployment</th><th>all</th><th>+-</th>{heads}<th>fixed</th>\
         <th>HIT&nbsp;%</th><th>p50 ms</th><th>p99 ms</th><th>what stands in its \
         way</th></tr></thead><tbody>"
    );
    for row in rows {
        let forecast = &row.forecast;
        let is_best = best.is_some_and(|best| best.deployment == row.deployment);
        let objection = row.objection();
        let class = if is_best {
            " class=\"best\""
        } else if objection.is_some() {
            " class=\"out\""
        } else {
            ""
        };
        let half = if forecast.infeasible.is_none() { dollars(forecast.half_width()) } else { "?".to_owned() };
        let told = |figure: Option<f64>| figure.map_or("-".to_owned(), |figure| format!("{figure:.1}"));
        let (p50, p99) = forecast.delay_ms.unzip();
        let columns: String =
            costs(&forecast.estimate.mean).iter().map(|costs| format!("<td>{}</td>", dollars(*costs))).collect();
        text.push_str(&format!(
            "<tr{class}><td>{}</td><td>{}</td><td>{half}</td>{columns}<td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td></tr>",
            escaped(&row.deployment.name),
            dollars(forecast.costs()),
            dollars(forecast.fixed),
            told(forecast.hit_percent),
            told(p50),
            told(p99),
            escaped(&objection.unwrap_or_default())
        ));
    }
    text.push_str("</tbody></table></div>");
    text
}
