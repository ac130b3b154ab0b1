//! What a session tells a live reader of its own while that waits.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use futures_util::future::{Either, select};

/// Shared by a session and its live readers.
#[derive(Default)]
pub(crate) struct ReaderControl {
    left: Cell<bool>,
    /// Until then, in virtual ms since the Unix epoch, nothing is asked and nothing read.
    stalled_until_ms: Cell<u64>,
    wakers: RefCell<Vec<Waker>>,
}

impl ReaderControl {
    /// Lets the readers go.
    pub(crate) fn leave(&self) {
        self.left.set(true);
        self.wakers.take().into_iter().for_each(Waker::wake);
    }

    pub(crate) fn has_left(&self) -> bool {
        self.left.get()
    }

    pub(crate) fn stall_until(&self, ms: u64) {
        self.stalled_until_ms.set(self.stalled_until_ms.get().max(ms));
    }

    pub(crate) fn stalled_until_ms(&self) -> u64 {
        self.stalled_until_ms.get()
    }

    /// The future's output, or `None` once the readers are let go.
    pub(crate) async fn unless_left<T>(self: &Rc<Self>, future: impl Future<Output = T>) -> Option<T> {
        let left = poll_fn(|context| {
            if self.left.get() {
                return Poll::Ready(());
            }
            let mut wakers = self.wakers.borrow_mut();
            if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                wakers.push(context.waker().clone());
            }
            Poll::Pending
        });
        match select(pin!(left), pin!(future)).await {
            Either::Left(_) => None,
            Either::Right((output, _)) => Some(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rt;

    #[test]
    fn whoever_is_let_go_waits_no_longer() {
        rt::block_on(1, async {
            let reader_control = Rc::new(ReaderControl::default());
            assert_eq!(reader_control.unless_left(async { 7 }).await, Some(7));
            let letting_go = reader_control.clone();
            rt::Node::new().spawn(async move {
                rt::sleep_ms(20).await;
                letting_go.leave();
            });
            assert_eq!(reader_control.unless_left(std::future::pending::<()>()).await, None);
            assert!(reader_control.has_left());
            assert_eq!(rt::now_ns() / 1_000_000, 20);
        });
    }
}
