//! Faults on request, so that tests can check what a panic, a lost instance or an exception leads to. Compiled only
//! under the feature `faults`.
//!
//! | fault | where | what |
//! | --- | --- | --- |
//! | `panic-edge` | edge | a panic |
//! | `lost-instance-edge` | edge | the stack overflows |
//! | `panic-object` | object | a panic |
//! | `panic-in-transaction` | object | a panic in a nested transaction that has deleted the stream's log |
//! | `lost-instance` | object | the stack overflows |
//! | `throw-in-binding` | object | the next statement throws a JavaScript exception |
//! | `full-in-binding` | object | the next statement throws what SQLite says when the database is full |
//! | `no-socket` | object | the runtime refuses the next socket that is to be accepted |
//! | `wait` | object | waits half a second before core sees the request |
//! | `panic-later` | object | waits, then panics |
//! | `panic-alarm` | object | the next alarm panics |
//! | `reject-alarm` | object | the runtime rejects the next setting of the alarm |

use std::cell::Cell;
use std::hint::black_box;

use js_sys::JsString;
use tailrace_core::protocol::Headers;
use tailrace_core::runtime::ActorState;
use tailrace_core::storage::{SqlError, SqlStorage};

/// The request header that asks for a fault.
pub(crate) const HEADER: &str = "tailrace-fault";

/// What precedes the fault's name in a message to an object; no message of core begins with it.
const PREFIX: &str = "fault ";

/// How long `wait` and `panic-later` wait.
const WAIT_MS: u64 = 500;

thread_local! {
    static STATEMENT_THROWS: Cell<bool> = const { Cell::new(false) };
    static DATABASE_FULL: Cell<bool> = const { Cell::new(false) };
    static ALARM_PANICS: Cell<bool> = const { Cell::new(false) };
    static ALARM_REJECTED: Cell<bool> = const { Cell::new(false) };
    static SOCKET_REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Commits the fault that the request asks for if it is one of the edge; else returns the name of the object's fault.
pub(crate) fn at_edge(headers: &Headers) -> Option<String> {
    match headers.get(HEADER)? {
        "panic-edge" => panic!("a fault on request, at the edge"),
        "lost-instance-edge" => overflow(),
        name => Some(name.to_owned()),
    }
}

/// The message, preceded by the fault's name.
pub(crate) fn message(fault: Option<&str>, message: String) -> String {
    match fault {
        Some(name) => format!("{PREFIX}{name}\n{message}"),
        None => message,
    }
}

/// The fault's name, if there is one, and the message without it.
pub(crate) fn split(message: String) -> (Option<String>, String) {
    match message.strip_prefix(PREFIX).and_then(|rest| rest.split_once('\n')) {
        Some((name, rest)) => (Some(name.to_owned()), rest.to_owned()),
        None => (None, message),
    }
}

/// Commits the fault in the object.
pub(crate) async fn in_object(fault: Option<String>, state: impl ActorState) {
    match fault.as_deref() {
        None => {}
        Some("panic-object") => panic!("a fault on request, in the object"),
        Some("panic-in-transaction") => panic_in_transaction(&state),
        Some("lost-instance") => overflow(),
        Some("throw-in-binding") => STATEMENT_THROWS.set(true),
        Some("full-in-binding") => {
            // The runtime tells the size of a database, in whole pages.
            let bytes = state.sql().database_bytes();
            assert!(bytes.as_ref().is_ok_and(|bytes| *bytes >= 4_096 && bytes % 4_096 == 0), "a size of {bytes:?}");
            DATABASE_FULL.set(true);
        }
        Some("panic-alarm") => ALARM_PANICS.set(true),
        Some("reject-alarm") => ALARM_REJECTED.set(true),
        Some("no-socket") => SOCKET_REFUSED.set(true),
        Some("wait") => state.sleep_ms(WAIT_MS).await,
        Some("panic-later") => {
            state.sleep_ms(WAIT_MS).await;
            panic!("a fault on request, in the object, while others wait");
        }
        Some(name) => panic!("no such fault: {name}"),
    }
}

/// Commits `panic-alarm`.
pub(crate) fn in_alarm() {
    if ALARM_PANICS.take() {
        panic!("a fault on request, in the alarm");
    }
}

/// The time of an alarm, or one that the runtime rejects.
pub(crate) fn alarm_ms(at_ms: u64) -> u64 {
    if ALARM_REJECTED.take() { 0 } else { at_ms }
}

/// The statement's text, or one that throws.
pub(crate) fn statement(text: JsString) -> JsString {
    match (STATEMENT_THROWS.take(), DATABASE_FULL.take()) {
        (false, false) => text,
        (true, _) => "SELECT nothing FROM nowhere".into(),
        // The runtime ends its message with the name of SQLite's code; here the name of a column is as good.
        (false, true) => "SELECT SQLITE_FULL".into(),
    }
}

/// The tags of a socket, or some that are longer than the runtime takes (256 characters).
pub(crate) fn tags(tags: [String; 2]) -> [String; 2] {
    if SOCKET_REFUSED.take() { tags.map(|tag| tag.repeat(300)) } else { tags }
}

fn panic_in_transaction(state: &impl ActorState) {
    let sql = state.sql();
    let outcome: Result<(), SqlError> = sql.transaction(|| {
        sql.run("DELETE FROM log", &[])?;
        sql.transaction(|| panic!("a fault on request, in a nested transaction"))
    });
    panic!("the transaction went on after a panic: {outcome:?}");
}

/// Overflows the stack: the instance is lost without a panic.
fn overflow() -> ! {
    let depth = descend(black_box(1));
    panic!("the stack held {depth} frames");
}

#[allow(unconditional_recursion)]
#[inline(never)]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    descend(depth + 1) + black_box(frame)[0]
}
