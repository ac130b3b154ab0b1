//! A scenario as text, one fact a line, and back.

use std::fmt;
use std::str::FromStr;

use tailrace_core::protocol::CachePolicy;
use tailrace_core::protocol::limits::CLIENT_BUFFER;

use super::knobs::{COLD, FAULTS, Knob, LIMITS, MEMORY, WAITS};
use super::word::{Word, Words};
use super::{AccessPlan, Action, Disturbance, Event, Happening, Scenario, StreamPlan};
use crate::judge::history::{Content, Lifetime};
use crate::judge::tenancy::Tenancy;
use crate::tailrace::{ColdSettings, MemoryLimits, StreamLimits, Waits};
use crate::world::{Faults, Region};

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
        for region in &self.colos {
            writeln!(formatter, "colo {}", region.name())?;
        }
        writeln!(formatter, "isolates {}", self.isolates)?;
        if self.policy != CachePolicy::default() {
            writeln!(formatter, "policy {}", self.policy.name)?;
        }
        if self.client_buffer_bytes != CLIENT_BUFFER {
            writeln!(formatter, "client-buffer {}", self.client_buffer_bytes)?;
        }
        write_knobs(formatter, "limit", LIMITS, &self.limits, &StreamLimits::default())?;
        write_knobs(formatter, "cold", COLD, &self.cold, &ColdSettings::default())?;
        write_knobs(formatter, "memory", MEMORY, &self.memory, &MemoryLimits::default())?;
        write_knobs(formatter, "wait", WAITS, &self.waits, &Waits::default())?;
        write_knobs(formatter, "fault", FAULTS, &self.faults, &Faults::default())?;
        for plan in &self.streams {
            let content = match plan.content {
                Content::Json => "json",
                Content::Bytes => "bytes",
                Content::Text => "text",
            };
            writeln!(formatter, "stream {content} {}", plan.lifetime.spell())?;
        }
        if self.crowd > 0 {
            writeln!(formatter, "crowd {}", self.crowd)?;
        }
        if let Some(plan) = self.access {
            let AccessPlan { strangers_permille, brief_permille, reader_keys_permille, passers_permille, .. } = plan;
            let origins = if plan.lists_origins { " origins" } else { "" };
            let projects = if plan.tenancy == Tenancy::Two { " projects" } else { "" };
            writeln!(
                formatter,
                "keyed {strangers_permille} {brief_permille} {reader_keys_permille} {passers_permille}{origins}{projects}"
            )?;
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

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "at {} ", self.at_ms)?;
        match self.what {
            Happening::Client { client, action } => write!(formatter, "c{client} {action}"),
            Happening::World(disturbance) => write!(formatter, "{disturbance}"),
        }
    }
}

impl FromStr for Scenario {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut scenario = Self {
            schedule: 0,
            colos: Vec::new(),
            isolates: 1,
            client_buffer_bytes: CLIENT_BUFFER,
            faults: Faults::default(),
            limits: StreamLimits::default(),
            cold: ColdSettings::default(),
            memory: MemoryLimits::default(),
            waits: Waits::default(),
            policy: CachePolicy::default(),
            streams: Vec::new(),
            crowd: 0,
            access: None,
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
        "colo" => scenario.colos.push(Region::named(words.next()?)?),
        "isolates" => scenario.isolates = words.next()?.parse().ok()?,
        "policy" => scenario.policy = CachePolicy::named(words.next()?)?,
        "client-buffer" => scenario.client_buffer_bytes = words.next()?.parse().ok()?,
        "limit" => read_knob(LIMITS, &mut scenario.limits, &mut words)?,
        "memory" => read_knob(MEMORY, &mut scenario.memory, &mut words)?,
        "cold" => read_knob(COLD, &mut scenario.cold, &mut words)?,
        "wait" => read_knob(WAITS, &mut scenario.waits, &mut words)?,
        "fault" => read_knob(FAULTS, &mut scenario.faults, &mut words)?,
        "stream" => {
            let content = match words.next()? {
                "json" => Content::Json,
                "bytes" => Content::Bytes,
                "text" => Content::Text,
                _ => return None,
            };
            scenario.streams.push(StreamPlan { content, lifetime: Lifetime::parse(words.next()?)? });
        }
        "crowd" => scenario.crowd = words.next()?.parse().ok()?,
        "keyed" => {
            let mut words = words.collect::<Vec<_>>();
            let tenancy = if take_last(&mut words, "projects") { Tenancy::Two } else { Tenancy::One };
            let lists_origins = take_last(&mut words, "origins");
            let mut words = words.into_iter();
            let mut permille = || words.next().map(|word| word.parse().ok());
            scenario.access = Some(AccessPlan {
                strangers_permille: permille()??,
                brief_permille: permille()??,
                reader_keys_permille: permille().unwrap_or(Some(0))?,
                passers_permille: permille().unwrap_or(Some(0))?,
                lists_origins,
                tenancy,
            });
            return words.next().is_none().then_some(());
        }
        "calm" => scenario.calm_ms = words.next()?.parse().ok()?,
        "at" => {
            let at_ms = words.next()?.parse().ok()?;
            let what = read_happening(&words.collect::<Vec<_>>())?;
            scenario.events.push(Event { at_ms, what });
            return Some(());
        }
        _ => return None,
    }
    words.next().is_none().then_some(())
}

/// Takes a word that may follow all others.
fn take_last(words: &mut Vec<&str>, word: &str) -> bool {
    let is_there = words.last() == Some(&word);
    if is_there {
        words.pop();
    }
    is_there
}

fn read_knob<'a, T>(knobs: &[Knob<T>], of: &mut T, words: &mut impl Iterator<Item = &'a str>) -> Option<()> {
    let name = words.next()?;
    let knob = knobs.iter().find(|knob| knob.name == name)?;
    knob.set(of, words.next()?.parse().ok()?);
    Some(())
}

fn read_happening(words: &[&str]) -> Option<Happening> {
    let mut words = Words::new(words);
    let client = words.next_if(|word| word.strip_prefix('c')?.parse().ok());
    let happening = match client {
        Some(client) => Happening::Client { client, action: Action::read(&mut words)? },
        None => Happening::World(Disturbance::read(&mut words)?),
    };
    words.is_empty().then_some(happening)
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
        for line in [
            "at 5 c1 head",
            "at x c1 head s0",
            "fault nothing 1",
            "colo atlantis",
            "stream json",
            "calm 1 2",
            "at 1 c1 read s0 x 1",
        ] {
            let error = line.parse::<Scenario>().map_err(|error| error.line);
            assert_eq!(error, Err(1), "{line}");
        }
    }
}
