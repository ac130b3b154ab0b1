//! Plots as SVG: dollars a month against something, a line for each deployment.

use std::fmt::Write as _;

/// What is plotted across, and dollars.
pub(super) type Points = Vec<(f64, f64)>;

/// What is plotted.
pub(super) struct Plot<'a> {
    /// Its title.
    pub(super) title: &'a str,
    /// What the horizontal axis is, with its unit.
    pub(super) across: &'a str,
    /// Whether the horizontal axis is logarithmic, too; the vertical one always is.
    pub(super) is_log: bool,
    /// Each with its name and points.
    pub(super) series: Vec<(String, Points)>,
    /// Whether points are joined by lines.
    pub(super) is_joined: bool,
    /// Those points are marked.
    pub(super) marked: Points,
}

/// Colours that are told apart without seeing red and green (Okabe and Ito, 2008), in their order.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

const WIDTH: f64 = 910.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 84.0;
/// Beside the plot stand the names.
const RIGHT: f64 = 360.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 56.0;
/// How far apart two lines of names are.
const LINE: f64 = 18.0;
/// Of so many decades a logarithmic axis has all ticks that are 1, 2 or 5 times a power of ten.
const FINE: f64 = 2.0;

/// An axis: from the value at its begin to that at its end, and the pixels of both.
struct Axis {
    from: f64,
    to: f64,
    is_log: bool,
    pixels: (f64, f64),
}

impl Axis {
    /// One that holds all values. On a logarithmic one, what is less than a cent is a cent.
    fn of(values: impl Iterator<Item = f64> + Clone, is_log: bool, pixels: (f64, f64)) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(0.0, f64::max);
        let (from, to) = match is_log {
            true => {
                let least = if least.is_finite() { least.max(0.01) } else { 1.0 };
                (nice(least, -1), nice(most.max(least), 1))
            }
            false => (0.0, most * 1.05),
        };
        let to = if to > from {
            to
        } else if is_log {
            from * 10.0
        } else {
            from + 1.0
        };
        Self { from, to, is_log, pixels }
    }

    fn at(&self, value: f64) -> f64 {
        let place = match self.is_log {
            true => (value.max(self.from) / self.from).ln() / (self.to / self.from).ln(),
            false => (value - self.from) / (self.to - self.from),
        };
        self.pixels.0 + place.clamp(0.0, 1.0) * (self.pixels.1 - self.pixels.0)
    }

    fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            let first = self.from.log10().floor() as i32;
            let last = self.to.log10().ceil() as i32;
            let is_fine = (self.to / self.from).log10() <= FINE;
            let steps: &[f64] = if is_fine { &[1.0, 2.0, 5.0] } else { &[1.0] };
            let all = (first..=last).flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)));
            let margin = 1.0 + 1e-9;
            return all.filter(|tick| *tick * margin >= self.from && *tick <= self.to * margin).collect();
        }
        let rough = self.to / 5.0;
        let decade = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * decade).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        (0..).map(|number| f64::from(number) * step).take_while(|tick| *tick <= self.to).collect()
    }
}

/// The next number downwards or upwards that is 1, 2 or 5 times a power of ten.
fn nice(value: f64, way: i32) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
    let margin = 1.0 + 1e-9;
    let next = match way {
        ..=0 => steps.into_iter().rev().find(|step| *step <= value * margin),
        1.. => steps.into_iter().find(|step| *step * margin >= value),
    };
    next.unwrap_or(value)
}

/// A number as short as it can be said.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e9 => format!("{}G", value / 1e9),
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e3 => format!("{}k", value / 1e3),
        value if value >= 1.0 || value == 0.0 => format!("{value}"),
        value => format!("{value:.3}").trim_end_matches('0').to_owned(),
    }
}

impl Plot<'_> {
    /// The series, those that are the same as one, each with its names.
    fn merged(&self) -> Vec<(Vec<String>, Points, &'static str)> {
        let mut merged: Vec<(Vec<String>, Points, &str)> = Vec::new();
        let is_near = |one: f64, other: f64| (one - other).abs() <= 0.01 * one.abs().max(other.abs());
        let is_same = |one: &[(f64, f64)], other: &[(f64, f64)]| {
            let mut pairs = one.iter().zip(other);
            one.len() == other.len() && pairs.all(|(one, other)| is_near(one.0, other.0) && is_near(one.1, other.1))
        };
        // Each has the same colour in all plots of a page.
        for ((name, points), colour) in
            self.series.iter().zip(COLOURS.iter().cycle()).filter(|((_, points), _)| !points.is_empty())
        {
            match merged.iter_mut().find(|(_, other, _)| is_same(other, points)) {
                Some((names, ..)) => names.push(name.clone()),
                None => merged.push((vec![name.clone()], points.clone(), *colour)),
            }
        }
        merged
    }

    /// The plot as an element of a page. Each line has its name at its end.
    pub(super) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|(_, points)| points.iter());
        let across = Axis::of(points().map(|point| point.0), self.is_log, (LEFT, WIDTH - RIGHT));
        let up = Axis::of(points().map(|point| point.1), true, (HEIGHT - BOTTOM, TOP));
        let mut text = format!(
            "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escaped(self.title),
            escaped(self.title)
        );
        for tick in up.ticks() {
            let y = up.at(tick);
            let _ = write!(
                text,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" \
                 text-anchor=\"end\">${}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                y + 5.0,
                short(tick)
            );
        }
        for tick in across.ticks() {
            let x = across.at(tick);
            let _ = write!(
                text,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/><text x=\"{x:.1}\" y=\"{:.1}\" \
                 text-anchor=\"middle\">{}</text>",
                HEIGHT - BOTTOM,
                HEIGHT - BOTTOM + 22.0,
                short(tick)
            );
        }
        let _ = write!(
            text,
            "<text class=\"across\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text class=\"up\" transform=\"translate(18 {:.1}) rotate(-90)\" text-anchor=\"middle\">dollars a month</text>",
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT - 10.0,
            escaped(self.across),
            (TOP + HEIGHT - BOTTOM) / 2.0
        );
        let mut names: Vec<(f64, Vec<String>, &str)> = Vec::new();
        for (name, points, colour) in &self.merged() {
            let places: Vec<(f64, f64)> = points.iter().map(|(x, y)| (across.at(*x), up.at(*y))).collect();
            if self.is_joined {
                let line: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
                let _ = write!(
                    text,
                    "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
                    line.join(" ")
                );
            }
            for (x, y) in &places {
                let _ = write!(text, "<circle class=\"mark\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>");
            }
            if let Some((_, y)) = places.last() {
                names.push((*y, name.clone(), colour));
            }
        }
        for (x, y) in &self.marked {
            let _ =
                write!(text, "<circle class=\"marked\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"9\"/>", across.at(*x), up.at(*y));
        }
        let heights: Vec<(f64, usize)> = names.iter().map(|(y, lines, _)| (*y, lines.len())).collect();
        for ((_, lines, colour), middle) in names.iter().zip(apart(&heights)) {
            let x = WIDTH - RIGHT + 18.0;
            let _ = write!(text, "<circle cx=\"{x:.1}\" cy=\"{middle:.1}\" r=\"5\" fill=\"{colour}\"/>");
            let mut at = middle - LINE * (lines.len() as f64 - 1.0) / 2.0 + 5.0;
            for line in lines {
                let x = x + 12.0;
                let _ = write!(text, "<text class=\"name\" x=\"{x:.1}\" y=\"{at:.1}\">{}</text>", escaped(line));
                at += LINE;
            }
        }
        text.push_str("</svg><ul>");
        // For whom the names beside the plot are out of sight.
        for (names, _, colour) in self.merged() {
            let names: Vec<String> = names.iter().map(|name| escaped(name)).collect();
            let _ = write!(text, "<li><i style=\"background:{colour}\"></i>{}</li>", names.join("; "));
        }
        text.push_str("</ul></figure>");
        text
    }
}

/// The middles of texts that would stand at `y` and have so many lines each, moved so that none hides another one and none
/// leaves the plot.
fn apart(texts: &[(f64, usize)]) -> Vec<f64> {
    let half = |lines: usize| LINE * lines as f64 / 2.0;
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by(|one, other| texts[*one].0.total_cmp(&texts[*other].0));
    let mut middles = vec![0.0; texts.len()];
    let mut free = 0.0;
    for place in &order {
        let (y, lines) = texts[*place];
        middles[*place] = y.max(free + half(lines));
        free = middles[*place] + half(lines);
    }
    // What was moved out at the bottom moves all above it upwards.
    let mut free = HEIGHT;
    for place in order.iter().rev() {
        let half = half(texts[*place].1);
        middles[*place] = middles[*place].min(free - half);
        free = middles[*place] - half;
    }
    middles
}

/// As text of a page.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_as_short_as_it_can_be_said() {
        for (value, expected) in [
            (0.0, "0"),
            (0.05, "0.05"),
            (1.0, "1"),
            (500.0, "500"),
            (2e3, "2k"),
            (1e6, "1M"),
            (5e8, "500M"),
            (2e10, "20G"),
        ] {
            assert_eq!(short(value), expected);
        }
    }

    #[test]
    fn values_are_where_their_axis_has_them() {
        let axis = Axis::of([3.0, 900.0].into_iter(), true, (0.0, 300.0));
        assert_eq!((axis.from, axis.to, axis.ticks()), (2.0, 1_000.0, vec![10.0, 100.0, 1_000.0]));
        assert_eq!([axis.at(2.0), axis.at(1_000.0), axis.at(0.0), axis.at(1e9)], [0.0, 300.0, 0.0, 300.0]);
        let fine = Axis::of([30.0, 450.0].into_iter(), true, (0.0, 300.0));
        assert_eq!(fine.ticks().iter().map(|tick| tick.round()).collect::<Vec<_>>(), [20.0, 50.0, 100.0, 200.0, 500.0]);
        let plain = Axis::of([30.0, 100.0].into_iter(), false, (0.0, 105.0));
        assert_eq!((plain.at(50.0), plain.ticks().len()), (50.0, 3));
        // A single value, or none, has an axis, too.
        for values in [vec![], vec![0.0], vec![5.0]] {
            for is_log in [false, true] {
                let axis = Axis::of(values.iter().copied(), is_log, (0.0, 1.0));
                assert!(axis.to > axis.from && axis.at(5.0).is_finite() && axis.ticks().len() > 1, "{values:?}");
            }
        }
    }

    #[test]
    fn names_stand_apart_and_within_the_plot() {
        let (middle, bottom) = (HEIGHT / 2.0, HEIGHT - 1.0);
        for (texts, expected) in [
            (vec![], vec![]),
            (vec![(middle, 1)], vec![middle]),
            (vec![(middle + 9.0, 1), (middle, 1)], vec![middle + LINE, middle]),
            (vec![(middle, 3), (middle, 1)], vec![middle, middle + 2.0 * LINE]),
            (vec![(0.0, 1)], vec![LINE / 2.0]),
            (vec![(bottom, 2), (bottom, 1)], vec![HEIGHT - 2.0 * LINE, HEIGHT - LINE / 2.0]),
        ] {
            assert_eq!(apart(&texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn a_plot_has_each_line_with_its_name_and_no_text_of_its_own() {
        let points = |dollars: f64| vec![(1.0, 1.0), (10.0, dollars)];
        let named = |name: &str, dollars: f64| (name.to_owned(), points(dollars));
        let series = vec![named("a < b", 5.0), named("c", 5.0), named("d", 5.001), named("e", 7.0)];
        let (title, across, marked) = ("costs & more", "readers", vec![(1.0, 1.0)]);
        let svg = Plot { title, across, is_log: true, series, is_joined: true, marked }.svg();
        // Three are the same to the eye.
        assert_eq!((svg.matches("<polyline").count(), svg.matches("<circle").count()), (2, 7));
        assert!(svg.contains(&format!("<li><i style=\"background:{}\"></i>a &lt; b; c; d</li>", COLOURS[0])), "{svg}");
        assert!(svg.contains(&format!("<li><i style=\"background:{}\"></i>e</li>", COLOURS[3])), "{svg}");
        assert!(["a &lt; b", "c", "d", "e"].iter().all(|name| svg.contains(&format!(">{name}<"))), "{svg}");
        assert!(svg.contains("costs &amp; more"), "{svg}");
        assert_eq!([1.0, 0.0, 0.05, 1_500.0, 2e6].map(short), ["1", "0", "0.05", "1.5k", "2M"]);
    }
}
