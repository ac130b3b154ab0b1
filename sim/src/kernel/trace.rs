//! What happened: events of a type of the world's own, each with its virtual time. Their fields are hashed; text is
//! made of them only when somebody wants to read it, and is then the same, byte for byte, whenever the same seed runs.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};
use std::io;
use std::rc::Rc;

use tracing::Level;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;

use crate::kernel::rt;
use crate::kernel::watch::Watch;

/// Where a hash begins, and what each word of it is multiplied with: an odd number without a pattern (the fraction of
/// the golden ratio), so that every bit of a word reaches the upper half.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

thread_local! {
    /// Where the program's events go. It is not in the subscriber, which has to be `Send`, as a trace is not.
    static LISTENING: RefCell<Option<Trace>> = const { RefCell::new(None) };
}

/// A trace; clones share it. The hash is always computed, the text kept only on request.
#[derive(Clone)]
pub struct Trace(Rc<Inner>);

struct Inner {
    hash: Cell<u64>,
    text: RefCell<Option<String>>,
    /// What must not be in it.
    watch: Watch,
}

impl Default for Trace {
    fn default() -> Self {
        Self(Rc::new(Inner { hash: Cell::new(BASIS), text: RefCell::new(None), watch: Watch::default() }))
    }
}

impl Trace {
    /// Adds an event, at the virtual time.
    pub(crate) fn add(&self, event: &(impl Hash + fmt::Display)) {
        let time = VirtualTime::now();
        let mut fields = Fields(self.0.hash.get());
        time.ns.hash(&mut fields);
        event.hash(&mut fields);
        self.0.hash.set(fields.finish());
        if let Some(text) = self.0.text.borrow_mut().as_mut() {
            // Formatting to a `String` cannot fail.
            _ = writeln!(text, "{time} {event}");
        }
        if self.0.watch.is_on() {
            self.0.watch.look("trace", &event.to_string());
        }
    }

    /// What must not be in it.
    pub fn watch(&self) -> &Watch {
        &self.0.watch
    }

    /// The hash of all events so far.
    pub fn hash(&self) -> u64 {
        self.0.hash.get()
    }

    /// The events since [`Self::keep`], one a line, and the program's own among them; empty without it.
    pub fn text(&self) -> String {
        self.0.text.borrow().clone().unwrap_or_default()
    }

    /// Keeps the text from here on, and in it, until the guard is dropped, this thread's events of that `tracing`
    /// target.
    pub fn keep(&self, target: &'static str) -> TraceGuard {
        self.0.text.borrow_mut().get_or_insert_default();
        self.listen(target)
    }

    /// Has this thread's events of that `tracing` target come here until the guard is dropped: only those who watch look at
    /// them, unless the text is kept.
    pub fn listen(&self, target: &'static str) -> TraceGuard {
        LISTENING.set(Some(self.clone()));
        let format =
            tracing_subscriber::fmt::layer().with_timer(VirtualTime::default()).with_ansi(false).with_writer(ToTrace);
        // Only that target: the executor's own spans carry numbers that differ between processes.
        let targets = Targets::new().with_target(target, Level::TRACE);
        let subscriber = tracing_subscriber::registry().with(targets).with(format);
        TraceGuard { _subscriber: tracing::subscriber::set_default(subscriber) }
    }
}

/// The program's events go to the trace while this lives.
pub struct TraceGuard {
    _subscriber: DefaultGuard,
}

impl Drop for TraceGuard {
    fn drop(&mut self) {
        LISTENING.set(None);
    }
}

/// Hashes fields in the same way in every process, which std's hashers do not promise.
struct Fields(u64);

impl Fields {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    }
}

impl Hasher for Fields {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
    }

    fn write_u8(&mut self, value: u8) {
        self.word(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.word(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.word(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.word(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.word(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Seconds since the start of the seed.
#[derive(Default)]
struct VirtualTime {
    ns: u64,
}

impl VirtualTime {
    fn now() -> Self {
        Self { ns: rt::now_ns() }
    }
}

impl fmt::Display for VirtualTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:>5}.{:09}", self.ns / 1_000_000_000, self.ns % 1_000_000_000)
    }
}

impl FormatTime for VirtualTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", Self::now())
    }
}

struct ToTrace;

impl<'a> MakeWriter<'a> for ToTrace {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl io::Write for ToTrace {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LISTENING.with_borrow(|listening| {
            let Some(trace) = listening else { return };
            if trace.0.watch.is_on() {
                trace.0.watch.look("log", &String::from_utf8_lossy(bytes));
            }
            if let Some(text) = trace.0.text.borrow_mut().as_mut() {
                text.push_str(&String::from_utf8_lossy(bytes));
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_does_not_depend_on_whether_the_text_is_kept() {
        let run = |keep: bool| {
            rt::block_on(1, async move {
                let trace = Trace::default();
                let guard = keep.then(|| trace.keep("program"));
                trace.add(&"a 1");
                rt::sleep_ms(1500).await;
                trace.add(&"b");
                drop(guard);
                (trace.hash(), trace.text())
            })
        };
        let (hash, text) = run(true);
        assert_eq!(run(false), (hash, String::new()));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].ends_with(" a 1") && lines[0].starts_with("    0.00000"), "{text}");
        assert!(lines[1].ends_with(" b") && lines[1].starts_with("    1.50000"), "{text}");
    }

    #[test]
    fn every_field_and_its_time_is_in_the_hash() {
        let hash = |wait_ms: u64, events: &'static [&'static str]| {
            rt::block_on(1, async move {
                let trace = Trace::default();
                rt::sleep_ms(wait_ms).await;
                events.iter().for_each(|event| trace.add(event));
                trace.hash()
            })
        };
        let seen = [
            hash(0, &[]),
            hash(0, &["a"]),
            hash(5, &["a"]),
            hash(0, &["b"]),
            hash(0, &["a", "b"]),
            hash(0, &["b", "a"]),
            hash(0, &["ab"]),
            hash(0, &["12345678"]),
            hash(0, &["123456789"]),
        ];
        for (index, one) in seen.iter().enumerate() {
            assert!(!seen[..index].contains(one), "{index}: {seen:x?}");
        }
    }

    #[test]
    fn events_of_the_program_and_of_nothing_else_are_in_the_text_at_virtual_time() {
        let text = rt::block_on(1, async {
            let trace = Trace::default();
            let guard = trace.keep("program");
            rt::sleep_ms(2000).await;
            tracing::info!(target: "program::part", rows = 3, "appended");
            tracing::info!(target: "elsewhere", "not this");
            drop(guard);
            tracing::info!(target: "program::part", "nor this");
            trace.text()
        });
        assert!(text.starts_with("    2.00000"), "{text}");
        assert!(text.contains("appended") && text.contains("rows=3"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
