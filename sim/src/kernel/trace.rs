//! What happened, as text that is the same, byte for byte, whenever the same seed runs.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};
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

/// Offset basis and prime of 64-bit FNV-1a: stable between processes, which std's hashers do not promise to be.
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

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
}

impl Default for Trace {
    fn default() -> Self {
        Self(Rc::new(Inner { hash: Cell::new(FNV_BASIS), text: RefCell::new(None) }))
    }
}

impl Trace {
    /// Adds a line, with the virtual time before it.
    pub(crate) fn line(&self, what: fmt::Arguments<'_>) {
        // Formatting to a `String` and to a hash cannot fail.
        _ = writeln!(Both(&self.0), "{} {what}", VirtualTime::now());
    }

    /// The hash of all lines so far.
    pub fn hash(&self) -> u64 {
        self.0.hash.get()
    }

    /// The lines since [`Self::keep`], and the program's events among them; empty without it.
    pub fn text(&self) -> String {
        self.0.text.borrow().clone().unwrap_or_default()
    }

    /// Keeps the text from here on, and in it, until the guard is dropped, this thread's events of that `tracing`
    /// target.
    pub fn keep(&self, target: &'static str) -> TraceGuard {
        self.0.text.borrow_mut().get_or_insert_default();
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

struct Both<'a>(&'a Inner);

impl Write for Both<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        self.0.hash.set(piece.bytes().fold(self.0.hash.get(), fold));
        if let Some(text) = self.0.text.borrow_mut().as_mut() {
            text.push_str(piece);
        }
        Ok(())
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
                trace.line(format_args!("a {}", 1));
                rt::sleep_ms(1500).await;
                trace.line(format_args!("b"));
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
