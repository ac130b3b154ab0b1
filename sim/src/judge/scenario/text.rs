//! A scenario as text, one fact a line, and back.

use std::fmt;
use std::str::FromStr;

use tailrace_core::protocol::limits::CLIENT_BUFFER;

use super::knobs::{COLD, FAULTS, Knob, LIMITS};
use super::{Action, Event, Load, Mistake, Origin, Scenario, StreamPlan};
use crate::judge::history::{Content, Lifetime, Mode};
use crate::tailrace::{ColdSettings, StreamLimits};
use crate::world::Faults;

/// Text that is no scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {} is none of a scenario: {:?}", self.line, self.text)
    }
}

impl std::error::Error for ParseError {}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "schedule {}", self.schedule)?;
        writeln!(formatter, "isolates {}", self.isolates)?;
        if self.client_buffer_bytes != CLIENT_BUFFER {
            writeln!(formatter, "client-buffer {}", self.client_buffer_bytes)?;
        }
        write_knobs(formatter, "limit", LIMITS, &self.limits, &StreamLimits::default())?;
        write_knobs(formatter, "cold", COLD, &self.cold, &ColdSettings::default())?;
        write_knobs(formatter, "fault", FAULTS, &self.faults, &Faults::default())?;
        for plan in &self.streams {
            let content = match plan.content {
                Content::Json => "json",
                Content::Bytes => "bytes",
                Content::Text => "text",
            };
            writeln!(formatter, "stream {content} {}", lifetime_text(plan.lifetime))?;
        }
        writeln!(formatter, "calm {}", self.calm_ms)?;
        for event in &self.events {
            writeln!(formatter, "{event}")?;
        }
        Ok(())
    }
}

/// What is not as by default.
fn write_knobs<T>(
    formatter: &mut fmt::Formatter<'_>,
    word: &str,
    knobs: &[Knob<T>],
    values: &T,
    default: &T,
) -> fmt::Result {
    for knob in knobs.iter().filter(|knob| knob.get(values) != knob.get(default)) {
        writeln!(formatter, "{word} {} {}", knob.name, knob.get(values))?;
    }
    Ok(())
}

fn lifetime_text(lifetime: Lifetime) -> String {
    match lifetime {
        Lifetime::Endless => "endless".to_owned(),
        Lifetime::Ttl(seconds) => format!("ttl:{seconds}"),
        Lifetime::Until(ms) => format!("until:{ms}"),
    }
}

fn load_text(load: Load) -> String {
    format!("{}x{}", load.count, load.pad_bytes)
}

fn mistake_text(mistake: Mistake) -> &'static str {
    match mistake {
        Mistake::BadElement => "bad-element",
        Mistake::EmptyArray => "empty-array",
        Mistake::WrongType => "wrong-type",
        Mistake::TooLarge => "too-large",
    }
}

fn origin_text(origin: Origin) -> String {
    match origin {
        Origin::Start => "start".to_owned(),
        Origin::Resume => "resume".to_owned(),
        Origin::Now => "now".to_owned(),
        Origin::Earlier(count) => format!("earlier:{count}"),
        Origin::Told(count) => format!("told:{count}"),
        Origin::Within(count) => format!("within:{count}"),
        Origin::Revalidate => "revalidate".to_owned(),
    }
}

fn mode_text(mode: Mode) -> &'static str {
    match mode {
        Mode::LongPoll => "long-poll",
        Mode::Sse => "sse",
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "at {} ", self.at_ms)?;
        if let Some(client) = self.action.client() {
            write!(formatter, "c{client} ")?;
        }
        let closing = |closes: bool| if closes { " close" } else { "" };
        match self.action {
            Action::Create { stream, lifetime, closes, load, .. } => {
                write!(formatter, "create s{stream} {}{}", lifetime_text(lifetime), closing(closes))?;
                load.map_or(Ok(()), |load| write!(formatter, " {}", load_text(load)))
            }
            Action::Delete { stream, .. } => write!(formatter, "delete s{stream}"),
            Action::Close { stream, .. } => write!(formatter, "close s{stream}"),
            Action::Append { stream, load, closes, mistake, .. } => {
                write!(formatter, "append s{stream} {}{}", load_text(load), closing(closes))?;
                mistake.map_or(Ok(()), |mistake| write!(formatter, " {}", mistake_text(mistake)))
            }
            Action::Sequenced { stream, load, passed, .. } => {
                let passed = if passed { " passed" } else { "" };
                write!(formatter, "sequenced s{stream} {}{passed}", load_text(load))
            }
            Action::Produce { stream, load, depth, copies, closes, .. } => {
                write!(formatter, "produce s{stream} {} {depth} {copies}{}", load_text(load), closing(closes))
            }
            Action::Resend { stream, back, .. } => write!(formatter, "resend s{stream} {back}"),
            Action::Skip { stream, load, .. } => write!(formatter, "skip s{stream} {}", load_text(load)),
            Action::Restart { .. } => write!(formatter, "restart"),
            Action::Read { stream, origin, pages, .. } => {
                write!(formatter, "read s{stream} {} {pages}", origin_text(origin))
            }
            Action::Head { stream, .. } => write!(formatter, "head s{stream}"),
            Action::Join { stream, mode, origin, readers, .. } => {
                write!(formatter, "join s{stream} {} {} {readers}", mode_text(mode), origin_text(origin))
            }
            Action::Stall { stream, for_ms, .. } => write!(formatter, "stall s{stream} {for_ms}"),
            Action::Leave { stream, .. } => write!(formatter, "leave s{stream}"),
            Action::Crash { stream } => write!(formatter, "crash s{stream}"),
            Action::Evict { stream } => write!(formatter, "evict s{stream}"),
            Action::Supersede { stream } => write!(formatter, "supersede s{stream}"),
            Action::RestartIsolate { isolate } => write!(formatter, "restart-isolate {isolate}"),
            Action::Lose { for_ms, permille } => write!(formatter, "lose {for_ms} {permille}"),
            Action::Outage { for_ms } => write!(formatter, "outage {for_ms}"),
        }
    }
}

impl FromStr for Scenario {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut scenario = Self {
            schedule: 0,
            isolates: 1,
            client_buffer_bytes: CLIENT_BUFFER,
            faults: Faults::default(),
            limits: StreamLimits::default(),
            cold: ColdSettings::default(),
            streams: Vec::new(),
            calm_ms: 0,
            events: Vec::new(),
        };
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() && read_line(&mut scenario, line).is_none() {
                return Err(ParseError { line: number, text: line.to_owned() });
            }
        }
        Ok(scenario)
    }
}

fn read_line(scenario: &mut Scenario, line: &str) -> Option<()> {
    let mut words = line.split_whitespace();
    match words.next()? {
        "schedule" => scenario.schedule = words.next()?.parse().ok()?,
        "isolates" => scenario.isolates = words.next()?.parse().ok()?,
        "client-buffer" => scenario.client_buffer_bytes = words.next()?.parse().ok()?,
        "limit" => read_knob(LIMITS, &mut scenario.limits, &mut words)?,
        "cold" => read_knob(COLD, &mut scenario.cold, &mut words)?,
        "fault" => read_knob(FAULTS, &mut scenario.faults, &mut words)?,
        "stream" => {
            let content = match words.next()? {
                "json" => Content::Json,
                "bytes" => Content::Bytes,
                "text" => Content::Text,
                _ => return None,
            };
            scenario.streams.push(StreamPlan { content, lifetime: read_lifetime(words.next()?)? });
        }
        "calm" => scenario.calm_ms = words.next()?.parse().ok()?,
        "at" => {
            let at_ms = words.next()?.parse().ok()?;
            let action = read_action(&words.collect::<Vec<_>>())?;
            scenario.events.push(Event { at_ms, action });
            return Some(());
        }
        _ => return None,
    }
    words.next().is_none().then_some(())
}

fn read_knob<'a, T>(knobs: &[Knob<T>], of: &mut T, words: &mut impl Iterator<Item = &'a str>) -> Option<()> {
    let name = words.next()?;
    let knob = knobs.iter().find(|knob| knob.name == name)?;
    knob.set(of, words.next()?.parse().ok()?);
    Some(())
}

fn read_lifetime(word: &str) -> Option<Lifetime> {
    match word.split_once(':') {
        None => (word == "endless").then_some(Lifetime::Endless),
        Some(("ttl", seconds)) => seconds.parse().ok().map(Lifetime::Ttl),
        Some(("until", ms)) => ms.parse().ok().map(Lifetime::Until),
        Some(_) => None,
    }
}

fn read_load(word: &str) -> Option<Load> {
    let (count, pad_bytes) = word.split_once('x')?;
    Some(Load { count: count.parse().ok()?, pad_bytes: pad_bytes.parse().ok()? })
}

fn read_origin(word: &str) -> Option<Origin> {
    Some(match word.split_once(':') {
        None if word == "start" => Origin::Start,
        None if word == "resume" => Origin::Resume,
        None if word == "now" => Origin::Now,
        None if word == "revalidate" => Origin::Revalidate,
        Some(("earlier", count)) => Origin::Earlier(count.parse().ok()?),
        Some(("told", count)) => Origin::Told(count.parse().ok()?),
        Some(("within", count)) => Origin::Within(count.parse().ok()?),
        _ => return None,
    })
}

fn read_mode(word: &str) -> Option<Mode> {
    [Mode::LongPoll, Mode::Sse].into_iter().find(|mode| mode_text(*mode) == word)
}

fn read_mistake(word: &str) -> Option<Mistake> {
    [Mistake::BadElement, Mistake::EmptyArray, Mistake::WrongType, Mistake::TooLarge]
        .into_iter()
        .find(|mistake| mistake_text(*mistake) == word)
}

fn read_action(words: &[&str]) -> Option<Action> {
    let stream_of = |word: &str| word.strip_prefix('s')?.parse().ok();
    if let [who, words @ ..] = words
        && let Some(client) = who.strip_prefix('c').and_then(|digits| digits.parse().ok())
    {
        return read_client_action(client, words, stream_of);
    }
    Some(match words {
        ["crash", stream] => Action::Crash { stream: stream_of(stream)? },
        ["evict", stream] => Action::Evict { stream: stream_of(stream)? },
        ["supersede", stream] => Action::Supersede { stream: stream_of(stream)? },
        ["restart-isolate", isolate] => Action::RestartIsolate { isolate: isolate.parse().ok()? },
        ["lose", for_ms, permille] => Action::Lose { for_ms: for_ms.parse().ok()?, permille: permille.parse().ok()? },
        ["outage", for_ms] => Action::Outage { for_ms: for_ms.parse().ok()? },
        _ => return None,
    })
}

fn read_client_action(client: usize, words: &[&str], stream_of: impl Fn(&str) -> Option<usize>) -> Option<Action> {
    if words == ["restart"] {
        return Some(Action::Restart { client });
    }
    let [verb, stream, rest @ ..] = words else { return None };
    let stream = stream_of(stream)?;
    Some(match (*verb, rest) {
        ("create", [lifetime, rest @ ..]) => {
            let lifetime = read_lifetime(lifetime)?;
            let (closes, rest) = read_closing(rest);
            let load = match rest {
                [] => None,
                [load] => Some(read_load(load)?),
                _ => return None,
            };
            Action::Create { client, stream, lifetime, closes, load }
        }
        ("delete", []) => Action::Delete { client, stream },
        ("close", []) => Action::Close { client, stream },
        ("append", [load, rest @ ..]) => {
            let (closes, rest) = read_closing(rest);
            let mistake = match rest {
                [] => None,
                [mistake] => Some(read_mistake(mistake)?),
                _ => return None,
            };
            Action::Append { client, stream, load: read_load(load)?, closes, mistake }
        }
        ("sequenced", [load]) => Action::Sequenced { client, stream, load: read_load(load)?, passed: false },
        ("sequenced", [load, "passed"]) => Action::Sequenced { client, stream, load: read_load(load)?, passed: true },
        ("produce", [load, depth, copies, rest @ ..]) => {
            let (closes, []) = read_closing(rest) else { return None };
            let (depth, copies) = (depth.parse().ok()?, copies.parse().ok()?);
            Action::Produce { client, stream, load: read_load(load)?, depth, copies, closes }
        }
        ("resend", [back]) => Action::Resend { client, stream, back: back.parse().ok()? },
        ("skip", [load]) => Action::Skip { client, stream, load: read_load(load)? },
        ("read", [origin, pages]) => {
            Action::Read { client, stream, origin: read_origin(origin)?, pages: pages.parse().ok()? }
        }
        ("head", []) => Action::Head { client, stream },
        ("join", [mode, origin, readers]) => {
            let (mode, origin, readers) = (read_mode(mode)?, read_origin(origin)?, readers.parse().ok()?);
            Action::Join { client, stream, mode, origin, readers }
        }
        ("stall", [for_ms]) => Action::Stall { client, stream, for_ms: for_ms.parse().ok()? },
        ("leave", []) => Action::Leave { client, stream },
        _ => return None,
    })
}

fn read_closing<'a, 'b>(words: &'a [&'b str]) -> (bool, &'a [&'b str]) {
    match words {
        ["close", rest @ ..] => (true, rest),
        _ => (false, words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_scenario_is_the_same_after_a_round_trip_through_text() {
        for seed in 0..300 {
            let scenario = Scenario::draw(seed);
            let text = scenario.to_string();
            assert_eq!(text.parse::<Scenario>().as_ref(), Ok(&scenario), "seed {seed}:\n{text}");
        }
    }

    #[test]
    fn comments_and_empty_lines_are_skipped_and_nonsense_is_refused() {
        let parsed: Result<Scenario, _> = "# a case\n\nstream json endless # s0\nat 5 c1 head s0\n".parse();
        assert_eq!(parsed.map(|scenario| scenario.events.len()), Ok(1));
        for line in
            ["at 5 c1 head", "at x c1 head s0", "fault nothing 1", "stream json", "calm 1 2", "at 1 c1 read s0 x 1"]
        {
            let error = line.parse::<Scenario>().map_err(|error| error.line);
            assert_eq!(error, Err(1), "{line}");
        }
    }
}
