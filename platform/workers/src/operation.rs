//! What a task of the edge asks of its request's JavaScript object, and the operations that it waits for.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use wasm_bindgen::JsValue;

use crate::io::{EdgeIo, words};

thread_local! {
    /// The request that is being polled.
    static CURRENT: RefCell<Option<EdgeIo>> = const { RefCell::new(None) };
    /// How its last operation has ended.
    static OUTCOME: Cell<i64> = const { Cell::new(0) };
}

/// Runs `poll`, which polls a task of the request of `io`. What the task asks meanwhile is asked of `io`.
pub(crate) fn with<T>(io: EdgeIo, poll: impl FnOnce() -> T) -> T {
    CURRENT.set(Some(io));
    let polled = poll();
    CURRENT.set(None);
    polled
}

/// Says how the operation has ended that the next task to be polled waits for.
pub(crate) fn set_outcome(outcome: i64) {
    OUTCOME.set(outcome);
}

/// Asks the request that is being polled. `None` if that fails, or if no request is polled because a task is dropped.
pub(crate) fn ask<T>(question: impl FnOnce(&EdgeIo) -> Result<T, JsValue>) -> Option<T> {
    let answer = CURRENT.with_borrow(|current| current.as_ref().map(question))?;
    answer.inspect_err(|exception| tracing::error!(message = words(exception), "the edge's host has refused")).ok()
}

/// Starts an operation and waits until it has ended. Returns its outcome, or `None` if it could not be started.
pub(crate) async fn operation(start: impl FnOnce(&EdgeIo) -> Result<(), JsValue>) -> Option<i64> {
    ask(start)?;
    Operation { is_started: false }.await;
    Some(OUTCOME.get())
}

/// An operation under way. JavaScript polls the task again only once it has ended.
struct Operation {
    is_started: bool,
}

impl Future for Operation {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        if self.is_started {
            return Poll::Ready(());
        }
        self.is_started = true;
        Poll::Pending
    }
}
