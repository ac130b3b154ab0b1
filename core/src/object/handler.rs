//! The alarm's handler as others see it: whether one runs, and how it learns that the agenda has changed.

use std::cell::{Cell, RefCell};
use std::task::Waker;

/// After how many ms a handler that has not ended is taken for gone (Cloudflare, Alarms: 15 minutes).
const HANDLER_MS: u64 = 15 * 60 * 1_000;

/// The handler that runs, as requests and further handlers see it.
#[derive(Default)]
pub(super) struct Handler {
    /// When it began, in ms since the Unix epoch; `None` if none runs.
    began_ms: Cell<Option<u64>>,
    /// Whether the agenda may have changed since the handler looked at it.
    has_changed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// As long as this lives, the handler that began at this time runs.
pub(super) struct Running<'a> {
    handler: &'a Handler,
    began_ms: u64,
}

impl Handler {
    /// Has the handler look at the agenda again at the end of this turn, which is its own: a step has entered a duty.
    pub(super) fn look_again_after_this_turn(&self) {
        self.has_changed.set(true);
    }

    /// Has the handler look at the agenda again, if one runs.
    pub(super) fn look_again(&self) {
        self.has_changed.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The handler looks at the agenda now.
    pub(super) fn looks_now(&self) {
        self.has_changed.set(false);
    }

    /// Whether the agenda may have changed since the handler has looked at it.
    pub(super) fn is_to_look_again(&self) -> bool {
        self.has_changed.get()
    }

    /// The handler is polled by a task that is woken so.
    pub(super) fn is_polled_by(&self, waker: &Waker) {
        self.waker.replace(Some(waker.clone()));
    }

    /// A handler begins; `None` if another one runs.
    pub(super) fn begin(&self, now_ms: u64) -> Option<Running<'_>> {
        if self.began_ms.get().is_some_and(|began_ms| now_ms < began_ms + HANDLER_MS) {
            return None;
        }
        self.began_ms.set(Some(now_ms));
        Some(Running { handler: self, began_ms: now_ms })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // A handler that was taken for gone must not end the one that runs since.
        if self.handler.began_ms.get() == Some(self.began_ms) {
            self.handler.began_ms.set(None);
            self.handler.waker.take();
        }
    }
}
