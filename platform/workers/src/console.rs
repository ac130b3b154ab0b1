//! Core's warnings and errors on the console, where the platform's logs come from.

use std::fmt::{Debug, Write};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::io::{console_error, console_warn};

/// The least severe events that are written.
const LEVEL: Level = Level::WARN;

/// Writes events. It ignores spans, as core has none that an operator needs.
struct Console;

/// Has events written from here on. A second call changes nothing.
pub(crate) fn install() {
    // It fails only if a subscriber is installed already, and nobody else installs one.
    let _ = tracing::subscriber::set_global_default(Console);
}

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= LEVEL
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(LEVEL))
    }

    fn event(&self, event: &Event<'_>) {
        let line = Line::of(event).0;
        match *event.metadata().level() {
            Level::ERROR => console_error(&line),
            _ => console_warn(&line),
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// An event as text: where it is from, then its fields.
struct Line(String);

impl Line {
    fn of(event: &Event<'_>) -> Self {
        let mut line = Self(format!("{}:", event.metadata().target()));
        event.record(&mut line);
        line
    }

    fn push(&mut self, field: &Field, value: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, " {value}"),
            name => write!(self.0, " {name}={value}"),
        };
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.push(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, format_args!("{value}"));
    }
}
