//! Who calls KV: a request at the edge, or an object. What a fault of KV does is done to the caller.

use std::rc::Rc;

use tailrace_core::runtime::{KV_KEY_LIMIT, KvError};

use crate::bill::Cause;
use crate::world::environment::Environment;
use crate::world::harm::Harm;
use crate::world::marks;

/// The most bytes of a text, and of a note (Cloudflare, KV limits).
const TEXT_LIMIT: usize = 25 * 1_024 * 1_024;
const NOTE_LIMIT: usize = 1_024;

/// Who calls, from where, and for what that is billed.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) who: Who,
    /// The index of the datacenter.
    pub(super) colo: usize,
    pub(super) cause: Cause,
}

#[derive(Clone)]
pub(super) enum Who {
    /// The request of that number.
    Request(u64),
    /// The object of that name.
    Object(Rc<str>),
}

/// What a call has brought.
pub(super) struct Told<T> {
    pub(super) what: T,
    /// Whether it differs from what the store has.
    pub(super) is_stale: bool,
}

/// What comes of a call.
pub(super) type Outcome<T> = Result<Told<T>, KvError>;

impl Caller {
    /// The number of the request that calls, if it is one.
    pub(super) fn request(&self) -> Option<u64> {
        match &self.who {
            Who::Request(number) => Some(*number),
            Who::Object(_) => None,
        }
    }

    /// A fault of KV has touched the caller.
    pub(super) fn harm(&self, environment: &Environment, harm: Harm) {
        match &self.who {
            Who::Request(number) => environment.harm(harm, Some(*number)),
            Who::Object(name) => environment.harm_object(harm, name),
        }
    }

    /// What the caller hears of a call, whose outcome comes within its time or not at all.
    pub(super) fn hear<T>(&self, environment: &Environment, outcome: Option<Outcome<T>>) -> Result<T, KvError> {
        let Some(outcome) = outcome else {
            environment.mark(marks::KV_CALL_GIVEN_UP);
            self.harm(environment, Harm::KvFailed);
            return Err(KvError("no answer in time".to_owned()));
        };
        let told = outcome?;
        if told.is_stale {
            self.harm(environment, Harm::KvStale);
        }
        Ok(told.what)
    }
}

/// Whether the platform takes such a key.
pub(super) fn check_key(key: &str) -> Result<(), KvError> {
    match key.len() {
        1..=KV_KEY_LIMIT => Ok(()),
        bytes => Err(KvError(format!("a key of {bytes} bytes"))),
    }
}

/// Whether the platform takes such a put.
pub(super) fn check_put(key: &str, text: &str, note: &str) -> Result<(), KvError> {
    check_key(key)?;
    if text.len() > TEXT_LIMIT || note.len() > NOTE_LIMIT {
        return Err(KvError(format!("a text of {} bytes, with a note of {}", text.len(), note.len())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_texts_and_notes_are_no_longer_than_the_platform_takes() {
        for (key, text, note, is_taken) in [
            (KV_KEY_LIMIT, TEXT_LIMIT, NOTE_LIMIT, true),
            (1, 0, 0, true),
            (0, 1, 1, false),
            (KV_KEY_LIMIT + 1, 1, 1, false),
            (1, TEXT_LIMIT + 1, 1, false),
            (1, 1, NOTE_LIMIT + 1, false),
        ] {
            let taken = check_put(&"k".repeat(key), &"t".repeat(text), &"n".repeat(note));
            assert_eq!(taken.is_ok(), is_taken, "{key}, {text}, {note}");
        }
    }
}
