//! What a run tells people.

use std::fmt::{self, Write};

use tailrace_core::runtime::marks as core_marks;

use crate::judge::checker::{Invariant, Violation, reached};
use crate::judge::history::{Call, Delivery, From, History, Listening, Mode, Op};
use crate::judge::known_bug::KnownBug;
use crate::judge::scenario::Scenario;
use crate::judge::shrink::shrink;
use crate::judge::swarm::{Swarm, Tally, judge};
use crate::world::marks as world_marks;

/// Bytes of a body that are shown.
const EXCERPT_BYTES: usize = 100;

/// A failing seed: itself, the violated invariant, the shortest history found that still fails, and the command that
/// replays it.
pub fn failure(seed: u64, bug: Option<KnownBug>) -> String {
    let scenario = Scenario::draw(seed);
    let verdict = judge(&scenario, bug, false);
    let mut text = String::new();
    // Formatting to a `String` cannot fail.
    let Some(first) = verdict.violations.first() else {
        _ = writeln!(text, "seed {seed} holds all invariants");
        return text;
    };
    _ = writeln!(text, "seed {seed} fails");
    for violation in verdict.violations.iter().take(5) {
        _ = writeln!(text, "  {violation}");
    }
    _ = write!(text, "{}", shortest(&scenario, bug, first.invariant));
    _ = writeln!(text, "\nreplay: cargo sim replay {seed}{}", mutant_argument(bug));
    text
}

/// The shortest scenario found that violates the invariant, with its history.
pub fn shortest(scenario: &Scenario, bug: Option<KnownBug>, invariant: Invariant) -> String {
    let shrunk = shrink(scenario, bug, invariant);
    let verdict = judge(&shrunk, bug, false);
    let mut text = String::new();
    let (before, after) = (scenario.events.len(), shrunk.events.len());
    _ = writeln!(
        text,
        "\nthe shortest scenario found that violates {invariant} ({after} of {before} events):\n\n{shrunk}"
    );
    for violation in verdict.violations.iter().filter(|violation| violation.invariant == invariant).take(3) {
        _ = writeln!(text, "{violation}");
        _ = write!(text, "{}", Told { history: &verdict.history, violation });
    }
    text
}

fn mutant_argument(bug: Option<KnownBug>) -> String {
    bug.map_or_else(String::new, |bug| format!(" --mutant {}", bug.name()))
}

/// The summary of a swarm.
pub fn summary(swarm: &Swarm, tally: &Tally) -> String {
    let seconds = tally.elapsed.as_secs_f64().max(0.001);
    let mut text = String::new();
    _ = writeln!(
        text,
        "{} seeds from {}: {} failed; {:.0} seeds/s, {:.0} simulated seconds a second, {:.0} requests/s, {seconds:.1} s",
        tally.seeds,
        swarm.from,
        tally.failures.len(),
        tally.seeds as f64 / seconds,
        tally.virtual_ms as f64 / 1_000.0 / seconds,
        tally.requests as f64 / seconds,
    );
    let policies: Vec<String> = tally.policies.iter().map(|(name, seeds)| format!("{seeds} {name}")).collect();
    _ = writeln!(
        text,
        "of these seeds had a cache policy: {}; a HIT: {}; a shared flight of plain reads: {}, of long-polls: {}; \
         a race for a key: {}; a HIT in front: {}, of one that waited there: {}",
        policies.join(", "),
        tally.seeds_with(core_marks::CACHE_HIT),
        tally.seeds_with(core_marks::PAGE_FLIGHT_SHARED),
        tally.seeds_with(core_marks::LIVE_FLIGHT_SHARED),
        tally.seeds_with(reached::CACHE_RACED),
        tally.seeds_with(world_marks::FRONT_HIT),
        tally.seeds_with(world_marks::FRONT_JOINED),
    );
    _ = writeln!(
        text,
        "of these seeds needed tokens: {}; had one that expired under a live read: {}, a stranger where a cache had the \
         answer: {}; keys that were rotated meanwhile: {}; two projects: {}",
        tally.keyed,
        tally.seeds_with(reached::TOKEN_ENDED_LIVE_READ),
        tally.seeds_with(reached::STRANGER_AT_A_COPY),
        tally.seeds_with(world_marks::CONFIGURED_ANEW),
        tally.of_two_projects,
    );
    _ = writeln!(
        text,
        "of these had a stranger that read a public stream: {}, from a cache: {}; one that a cache in front answered for a \
         reader key: {}; a reader key that was replaced while somebody waited: {}",
        tally.seeds_with(reached::STRANGER_READ_PUBLIC_STREAM),
        tally.seeds_with(reached::STRANGER_READ_PUBLIC_COPY),
        tally.seeds_with(reached::STRANGER_ANSWERED_IN_FRONT),
        tally.seeds_with(reached::READER_KEY_REPLACED_UNDER_WAITING),
    );
    for (mark, count) in tally.marks.iter() {
        _ = writeln!(text, "  {count:>9}  {mark}");
    }
    for mark in tally.missing_marks() {
        _ = writeln!(text, "  never reached: {mark}");
    }
    text
}

/// The history of a violation's stream; the operations that show it are pointed at.
struct Told<'a> {
    history: &'a History,
    violation: &'a Violation,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start_ms = self.history.ops.first().map_or(0, |op| op.invoked.ms);
        for (index, op) in self.history.ops.iter().enumerate() {
            let info = self.history.streams.get(op.stream);
            if info.is_some_and(|info| info.name == self.violation.stream) {
                let here = if self.violation.ops.contains(&index) { ">" } else { " " };
                writeln!(formatter, "{here} {index:>3} {}", Line { history: self.history, index, op, start_ms })?;
            }
        }
        Ok(())
    }
}

/// A whole history, a line a request.
pub fn history(history: &History) -> String {
    let start_ms = history.ops.first().map_or(0, |op| op.invoked.ms);
    let mut text = String::new();
    for (index, op) in history.ops.iter().enumerate() {
        _ = writeln!(text, "{index:>4} {}", Line { history, index, op, start_ms });
    }
    for trespass in &history.strangers {
        _ = writeln!(text, "{} ms {trespass}", trespass.invoked.ms.saturating_sub(start_ms));
    }
    text
}

struct Line<'a> {
    history: &'a History,
    index: usize,
    op: &'a Op,
    start_ms: u64,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = self.op;
        let since = |ms: u64| ms.saturating_sub(self.start_ms);
        let path = self.history.streams.get(op.stream).map_or("?", |info| info.name.as_str());
        let ended = op.ended.map_or_else(|| "...".to_owned(), |ended| since(ended.ms).to_string());
        write!(formatter, "{}..{ended} ms c{} {} {path}", since(op.invoked.ms), op.client, asked(&op.call))?;
        if let Some(batch) = op.batch().and_then(|number| self.history.batches.get(number).map(|batch| (number, batch)))
        {
            let (number, batch) = batch;
            write!(formatter, " batch {number} of {}", batch.messages.len())?;
            if let Some(stamp) = &batch.stamp {
                write!(formatter, " as {} epoch {} seq {}", stamp.producer, stamp.epoch, stamp.seq)?;
            }
            if let Some(seq) = &batch.stream_seq {
                write!(formatter, " Stream-Seq {seq}")?;
            }
        }
        let Some(answer) = &op.answer else { return write!(formatter, " -> lost") };
        write!(formatter, " -> {}", answer.status)?;
        if let Some(by) = answer.from_browser {
            write!(formatter, " kept of {by}")?;
        } else if let Some(x_cache) = &answer.x_cache {
            write!(formatter, " {x_cache}")?;
        }
        if let Some(age_s) = answer.age_s {
            write!(formatter, ", {age_s} s old,")?;
        }
        if let Some(code) = &answer.code {
            write!(formatter, " {code}")?;
        }
        if let Some(offset) = &answer.next_offset {
            write!(formatter, " {offset}")?;
        }
        for (name, told) in [("closed", answer.closed), ("up to date", answer.up_to_date)] {
            if told {
                write!(formatter, ", {name}")?;
            }
        }
        if let Some(cursor) = answer.cursor {
            write!(formatter, ", cursor {cursor}")?;
        }
        if answer.status == 200 && matches!(op.call, Call::Read { .. } | Call::Live { mode: Mode::LongPoll, .. }) {
            let shown = &answer.body[..answer.body.len().min(EXCERPT_BYTES)];
            write!(formatter, " {} bytes {}", answer.body.len(), String::from_utf8_lossy(shown))?;
        }
        match self.history.listenings.get(&self.index) {
            Some(listening) => self.heard(formatter, listening),
            None => Ok(()),
        }
    }
}

impl Line<'_> {
    /// A line for each delivery of a connection of events, and one for how it ended.
    fn heard(&self, formatter: &mut fmt::Formatter<'_>, listening: &Listening) -> fmt::Result {
        let since = |ms: u64| ms.saturating_sub(self.start_ms);
        for Delivery { at, data, next_offset, cursor, up_to_date, closed, is_cut_short, .. } in &listening.deliveries {
            let next = next_offset.as_deref().unwrap_or("?");
            write!(formatter, "\n         {} ms: {next}", since(at.ms))?;
            cursor.map_or(Ok(()), |cursor| write!(formatter, ", cursor {cursor}"))?;
            for (name, told) in [("closed", closed), ("up to date", up_to_date), ("cut short", is_cut_short)] {
                if *told {
                    write!(formatter, ", {name}")?;
                }
            }
            if let Some(data) = data {
                let shown: String = data.chars().take(EXCERPT_BYTES).collect();
                write!(formatter, " {} bytes {shown:?}", data.len())?;
            }
        }
        for (at, defect) in &listening.defects {
            write!(formatter, "\n         {} ms: {defect}", since(at.ms))?;
        }
        match listening.end {
            Some((at, end)) => write!(formatter, "\n         {} ms: {end:?}", since(at.ms)),
            None => Ok(()),
        }
    }
}

fn from_text(from: &From) -> &str {
    match from {
        From::Start => "-1",
        From::Now => "now",
        From::At(offset) => offset,
    }
}

fn asked(call: &Call) -> String {
    let tag = |known: &Option<usize>| known.map_or_else(String::new, |op| format!(" if not as {op}"));
    match call {
        Call::Create { lifetime, closes, public, .. } => {
            let [closed, public] =
                [(*closes, " closed"), (*public, " public")].map(|(is, word)| if is { word } else { "" });
            format!("PUT {lifetime:?}{closed}{public}")
        }
        Call::Append { closes, defect, .. } => {
            let defect = defect.map_or_else(String::new, |defect| format!(" {defect:?}"));
            format!("POST{}{defect}", if *closes { " closing" } else { "" })
        }
        Call::Read { from, revalidates, manner, .. } => {
            let tag = tag(revalidates);
            let manner = manner.map_or_else(String::new, |manner| format!(" {manner:?}"));
            format!("GET {}{tag}{manner}", from_text(from))
        }
        Call::Live { mode, from, cursor, reader, revalidates } => {
            let mode = match mode {
                Mode::LongPoll => "long-poll",
                Mode::Sse => "events",
            };
            let cursor = cursor.map_or_else(String::new, |cursor| format!(" cursor {cursor}"));
            let tag = tag(revalidates);
            format!("reader {reader} {mode} {}{cursor}{tag}", from_text(from))
        }
        Call::Head => "HEAD".to_owned(),
        Call::Delete => "DELETE".to_owned(),
        Call::NewReaderKey => "POST for a reader key".to_owned(),
    }
}
