//! A one-shot answer: one sender, one receiver that waits.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

enum Slot<T> {
    Waiting(Option<Waker>),
    Sent(T),
    Dropped,
    Taken,
}

/// The side that answers. If it is dropped without an answer, the other side learns that there will be none.
pub(crate) struct ReplySender<T> {
    slot: Option<Rc<RefCell<Slot<T>>>>,
}

/// The side that waits: a future of the answer, or of `None` if the sender went away.
pub(crate) struct Reply<T> {
    slot: Rc<RefCell<Slot<T>>>,
}

/// A sender and its receiver.
pub(crate) fn reply<T>() -> (ReplySender<T>, Reply<T>) {
    let slot = Rc::new(RefCell::new(Slot::Waiting(None)));
    (ReplySender { slot: Some(slot.clone()) }, Reply { slot })
}

impl<T> ReplySender<T> {
    /// Answers.
    pub(crate) fn send(mut self, answer: T) {
        if let Some(slot) = self.slot.take() {
            settle(&slot, Slot::Sent(answer));
        }
    }

    /// Whether nobody waits any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.slot.as_ref().is_none_or(|slot| Rc::strong_count(slot) == 1)
    }

    /// Goes away without telling the other side, which then waits for ever.
    pub(crate) fn vanish(mut self) {
        self.slot = None;
    }
}

impl<T> Drop for ReplySender<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            settle(&slot, Slot::Dropped);
        }
    }
}

fn settle<T>(slot: &RefCell<Slot<T>>, outcome: Slot<T>) {
    if let Slot::Waiting(Some(waker)) = slot.replace(outcome) {
        waker.wake();
    }
}

impl<T> Future for Reply<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut slot = self.slot.borrow_mut();
        match std::mem::replace(&mut *slot, Slot::Taken) {
            Slot::Sent(answer) => Poll::Ready(Some(answer)),
            Slot::Dropped | Slot::Taken => Poll::Ready(None),
            Slot::Waiting(_) => {
                *slot = Slot::Waiting(Some(context.waker().clone()));
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rt;

    #[test]
    fn an_answer_arrives_a_dropped_sender_is_noticed_a_vanished_one_is_not() {
        rt::block_on(1, async {
            let (sender, answer) = reply();
            rt::Node::new().spawn(async move {
                rt::sleep_ms(5).await;
                sender.send(7);
            });
            assert_eq!(answer.await, Some(7));

            let (sender, answer) = reply::<u8>();
            drop(sender);
            assert_eq!(answer.await, None);

            let (sender, answer) = reply::<u8>();
            assert!(!sender.is_abandoned());
            drop(answer);
            assert!(sender.is_abandoned());

            let (sender, answer) = reply::<u8>();
            sender.vanish();
            assert_eq!(rt::within_ms(60_000, answer).await, None);
            assert!(rt::now_ns() >= 60_000_000_000);
        });
    }
}
