//! Bills as a picture: a bar for each, split by what it is for.

use std::fmt::Write as _;

use super::deployment::Deployment;
use super::page::number;
use super::plot::escaped;
use super::table::{Row, costs};
use super::workload::Workload;
use crate::bill::dollars;
use crate::crowd::InFront;

/// What a bar is split into: its name, and a colour that is told apart without seeing red and green (Okabe and Ito, 2008).
const PARTS: [(&str, &str); 5] =
    [("requests", "#0072b2"), ("CPU", "#e69f00"), ("objects", "#009e73"), ("storage", "#cc79a7"), ("fixed", "#666666")];

const WIDTH: f64 = 480.0;
const MARGIN: f64 = 16.0;
/// Above the bars stands what they are.
const TOP: f64 = 64.0;
/// How far apart two bars are, and how high each is below its two lines of text.
const APART: f64 = 76.0;
const BAR: f64 = 20.0;
/// Below them stand the parts with their colours.
const BOTTOM: f64 = 40.0;
/// Where a bar is broken that is too long, and how wide the gap is.
const BREAK: (f64, f64) = (0.8, 10.0);

/// It has a ground of its own, so that it can be read wherever it is shown.
const STYLE: &str = "text{font:14px system-ui,sans-serif;fill:#1b1b1b}.title,.dollars,.place{font-weight:600}\
.small{font-size:12.5px;fill:#555}.ground{fill:#fff;stroke:#ddd}";

/// What each part of a bill costs, in millionths of a dollar.
fn parts(row: &Row) -> [u64; PARTS.len()] {
    let [requests, cpu, objects, duration, rows, stored] = costs(&row.forecast.estimate.mean);
    [requests, cpu, objects + duration + rows, stored, row.forecast.fixed]
}

/// With a comma between thousands.
fn told(millionths: u64) -> String {
    let dollars = dollars(millionths);
    let (whole, cents) = dollars.split_once('.').unwrap_or((&dollars, "00"));
    format!("${}.{cents}", whole.parse().map_or(whole.to_owned(), number))
}

/// Where a deployment is, in words.
fn place(row: &Row) -> &'static str {
    match InFront::of(&row.deployment.policy) {
        InFront::Nothing if row.deployment == Deployment::uncached() => "a plain Worker, and nothing spares it",
        InFront::Nothing => "a plain Worker",
        InFront::Zone => "behind a caching zone",
        InFront::WorkersCache => "behind Workers Cache",
        InFront::Between => "Workers Cache between two entrypoints",
    }
}

/// All as an SVG. All bars are on the scale of the longest that has nothing in its way; one that is longer is broken.
pub(super) fn svg(workload: &Workload, rows: &[Row]) -> String {
    let Workload { readers, streams, .. } = workload;
    let streams = if *streams == 1 { "one stream".to_owned() } else { format!("{} streams", number(*streams)) };
    let messages = number(workload.writes_a_month().round() as u64);
    let title = format!("{} readers of {streams}, {messages} messages", number(*readers));
    let total = |row: &Row| parts(row).iter().sum::<u64>();
    let longest = rows.iter().filter(|row| row.objection().is_none()).map(total).max();
    let longest = longest.or_else(|| rows.iter().map(total).max()).unwrap_or(0).max(1) as f64;
    let height = TOP + rows.len() as f64 * APART + BOTTOM;
    let all = rows.iter().map(|row| format!("{}, {}: {}", place(row), row.deployment.name, told(total(row))));
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"{0}: {1}\">\n<style>{STYLE}</style>\n\
         <rect class=\"ground\" x=\"0.5\" y=\"0.5\" width=\"{2}\" height=\"{3}\" rx=\"6\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"26\">{0}</text>\n\
         <text class=\"small\" x=\"{MARGIN}\" y=\"46\">dollars a month, beside the 5 of the plan; bars on one scale</text>\n",
        escaped(&title),
        escaped(&all.collect::<Vec<_>>().join("; ")),
        WIDTH - 1.0,
        height - 1.0
    );
    for (place, row) in rows.iter().enumerate() {
        text.push_str(&bar(row, TOP + place as f64 * APART, longest));
    }
    let mut x = MARGIN;
    for (name, colour) in PARTS {
        let y = height - 18.0;
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text class=\"small\" x=\"{}\" y=\"{y}\">{name}\
             </text>",
            y - 11.0,
            x + 17.0
        );
        x += 90.0;
    }
    text.push_str("</svg>\n");
    text
}

/// One of them, with its name and its dollars above it.
fn bar(row: &Row, top: f64, longest: f64) -> String {
    let parts = parts(row);
    let total = parts.iter().sum::<u64>() as f64;
    let is_broken = total > longest;
    let objection = row.objection().map(|objection| format!("; {objection}")).unwrap_or_default();
    let note = if is_broken { "; its bar is broken" } else { "" };
    let mut text = format!(
        "<text class=\"place\" x=\"{MARGIN}\" y=\"{:.1}\">{}</text><text class=\"dollars\" x=\"{:.1}\" y=\"{:.1}\" \
         text-anchor=\"end\">{}</text>\n<text class=\"small\" x=\"{MARGIN}\" y=\"{:.1}\">{}{}{note}</text>\n",
        top + 14.0,
        place(row),
        WIDTH - MARGIN,
        top + 14.0,
        told(total as u64),
        top + 30.0,
        escaped(&row.deployment.name),
        escaped(&objection)
    );
    // A broken bar has the whole width, and its parts have their share of it.
    let width = WIDTH - 2.0 * MARGIN;
    let scale = width / if is_broken { total } else { longest };
    let (top, mut x) = (top + 38.0, MARGIN);
    for ((name, colour), costs) in PARTS.into_iter().zip(parts) {
        let long = costs as f64 * scale;
        if long >= 0.05 {
            let _ = writeln!(
                text,
                "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{long:.1}\" height=\"{BAR}\" fill=\"{colour}\"><title>{name}: {}\
                 </title></rect>",
                told(costs)
            );
        }
        x += long;
    }
    if is_broken {
        let (at, gap) = (MARGIN + BREAK.0 * width, BREAK.1);
        let _ = writeln!(
            text,
            "<path class=\"break\" fill=\"#fff\" d=\"M{at:.1} {:.1}l{gap} {}h{gap}l-{gap} -{}z\"/>",
            top - 1.0,
            BAR + 2.0,
            BAR + 2.0
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::{Cause, Class, Estimate, Meter, Slice, Usage};
    use crate::forecast::Forecast;

    /// A deployment whose month has so many millions of requests, of which its objects get as many.
    fn row(deployment: Deployment, millions: u64, infeasible: Option<&str>) -> Row {
        let mut usage = Usage::default();
        usage.add(Cause::Poll, Meter::WorkerRequests, millions * 1_000_000);
        usage.add(Cause::Poll, Meter::ObjectRequests, millions * 1_000_000);
        let slices = vec![Slice { usage, cycles: 1.0 }; 2];
        let forecast = Forecast {
            estimate: Estimate::of(&[Class { name: "writes", slices, cycles_a_month: 1.0 }]),
            fixed: deployment.fixed.map_or(0, |(_, costs)| costs),
            seeds: 2,
            infeasible: infeasible.map(str::to_owned),
            hit_percent: None,
            delay_ms: None,
            asked_a_second: 0.0,
        };
        Row { deployment, forecast, breaks: Vec::new() }
    }

    /// Whether each element that begins ends as well, in order, and no text has a sign of its own.
    fn is_well_formed(text: &str) -> bool {
        let mut open = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            let Some((tag, next)) = after.split_once('>') else { return false };
            let is_plain = !before.contains('>') && before.split('&').skip(1).all(|part| part.contains(';'));
            if !is_plain || tag.contains('<') || tag.matches('"').count() % 2 == 1 {
                return false;
            }
            match tag.strip_prefix('/') {
                Some(name) if open.pop() != Some(name) => return false,
                None if !tag.ends_with('/') => open.push(tag.split_whitespace().next().unwrap_or_default()),
                _ => {}
            }
            rest = next;
        }
        open.is_empty() && rest.trim().is_empty()
    }

    #[test]
    fn a_text_is_well_formed_if_all_that_begins_ends() {
        for (text, expected) in [
            ("<a b=\"c\"><d/>e &amp; f</a>", true),
            ("<a><b></a></b>", false),
            ("<a>", false),
            ("<a/></a>", false),
            ("<a>b > c</a>", false),
            ("<a>b & c</a>", false),
            ("<a b=\"c></a>", false),
        ] {
            assert_eq!(is_well_formed(text), expected, "{text}");
        }
    }

    #[test]
    fn the_picture_has_each_deployment_with_its_dollars_on_one_scale() {
        let [worker, zone, gateway] = Deployment::defaults();
        let rows = [
            row(worker, 110, None),
            row(zone, 0, None),
            row(gateway, 60, None),
            row(Deployment::uncached(), 25_930, Some("asked too often")),
        ];
        let svg = svg(&Workload::default(), &rows);
        assert!(is_well_formed(&svg), "{svg}");
        assert!(svg.contains(">10,000 readers of one stream, 2,592,000 messages</text>"), "{svg}");
        // Ten millions of requests are in the plan, and one of an object's.
        for (row, expected) in rows.iter().zip(["$46.35", "$6.00", "$23.85", "$11,665.35"]) {
            let costs = parts(row).iter().sum();
            assert_eq!((told(costs).as_str(), costs), (expected, row.forecast.costs()), "a bar is all of the bill");
            assert!(svg.contains(&format!(">{expected}</text>")), "{expected} in {svg}");
            assert!(svg.contains(&format!(">{}", row.deployment.name)), "{svg}");
        }
        // The longest that holds has all of the width, and the one beyond is broken.
        let width = WIDTH - 2.0 * MARGIN;
        let widths: Vec<f64> = svg
            .split("fill=\"#0072b2\"")
            .filter_map(|part| {
                let (_, width) = part.rsplit_once(" width=\"")?;
                width.split('"').next()?.parse().ok()
            })
            .collect();
        assert_eq!(widths[0], (width * 30.0 / 46.35 * 10.0).round() / 10.0, "{svg}");
        assert_eq!((svg.matches("class=\"break\"").count(), svg.matches("its bar is broken").count()), (1, 1), "{svg}");
    }

    #[test]
    fn the_kept_picture_says_what_the_table_of_the_readme_says() {
        let (picture, readme) = (include_str!("../../../docs/bill.svg"), include_str!("../../../README.md"));
        assert!(is_well_formed(picture), "{picture}");
        for (beginning, way) in
            [("| behind a caching zone", "behind a caching zone"), ("| a plain Worker", "a plain Worker")]
        {
            let row = readme.lines().find(|line| line.starts_with(beginning)).expect(beginning);
            let dollars = row.split(" | ").nth(1).and_then(|cell| cell.split(',').next()).expect("dollars");
            let bar = picture.lines().find(|line| line.contains(&format!(">{way}</text>"))).expect(way);
            assert!(bar.contains(&format!(">${dollars}</text>")), "{dollars} in {bar}");
        }
    }
}
