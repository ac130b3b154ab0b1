//! The context of one request at the edge. A handle (of a body, a reply, a socket or a flight) belongs to the request
//! that it was made for: only while that request's task is polled may the handle be used, as on the platform. The
//! context knows which request's task is polled, and whether the platform has ended its own request.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use crate::world::environment::Environment;
use crate::world::marks;

thread_local! {
    /// The number of the request whose task is being polled; `None` if a test uses handles by itself.
    static POLLED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The context of one request, which all its handles share.
pub(crate) struct Context {
    environment: Rc<Environment>,
    number: u64,
    /// Whether the platform has ended the request: its task is never polled again.
    has_ended: Cell<bool>,
    /// Whether the request goes on for a while after its client has gone.
    outlives: Cell<bool>,
    /// How many instances were lost while they served the request.
    losses: Cell<u32>,
    waker: RefCell<Option<Waker>>,
}

impl Context {
    /// The context of the request of that number. No other request has the number.
    pub(crate) fn new(environment: Rc<Environment>, number: u64) -> Rc<Self> {
        Rc::new(Self {
            environment,
            number,
            has_ended: Cell::default(),
            outlives: Cell::default(),
            losses: Cell::default(),
            waker: RefCell::default(),
        })
    }

    pub(crate) fn environment(&self) -> &Rc<Environment> {
        &self.environment
    }

    /// From here on the request goes on for a while after its client has gone.
    pub(crate) fn outlive_client(&self) {
        self.outlives.set(true);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.get()
    }

    pub(crate) fn outlives_client(&self) -> bool {
        self.outlives.get()
    }

    /// Ends the request without telling its task, which is never polled again. Returns whether it was under way.
    pub(crate) fn end(&self) -> bool {
        let was_under_way = !self.has_ended.replace(true);
        self.wake();
        was_under_way
    }

    /// The instance that serves the request is lost, and its task with it.
    pub(crate) fn lose_instance(&self) {
        self.losses.set(self.losses.get() + 1);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Runs the request's tasks until one comes to its end, or the platform ends the request. `begin` makes a task for an
    /// instance, told how many were lost before; it returns `None` if the request has come to its end with the last one.
    /// `poll` polls a task; it returns `Ready` if the task ends, or is lost by this.
    pub(crate) async fn run<T: Future<Output = ()>>(
        self: Rc<Self>,
        mut begin: impl FnMut(u32) -> Option<T>,
        mut poll: impl FnMut(Pin<&mut T>, &mut TaskContext<'_>) -> Poll<()>,
    ) {
        let mut losses = self.losses.get();
        let mut task = begin(losses).map(Box::pin);
        poll_fn(|context| {
            *self.waker.borrow_mut() = Some(context.waker().clone());
            if losses != self.losses.get() && !self.has_ended.get() {
                losses = self.losses.get();
                // What the lost task held is gone before the next one begins.
                task = None;
                task = begin(losses).map(Box::pin);
            }
            let polled = match task.as_mut().filter(|_| !self.has_ended.get()) {
                Some(task) => poll(task.as_mut(), context),
                None => Poll::Ready(()),
            };
            if polled.is_ready() {
                // Dropped before `has_ended` is set: what a finished task still holds ends in good order.
                task = None;
                self.has_ended.set(true);
            }
            polled
        })
        .await;
    }

    /// Polls a task of the request. Meanwhile the request's handles may be used.
    pub(crate) fn poll(&self, task: Pin<&mut impl Future<Output = ()>>, context: &mut TaskContext<'_>) -> Poll<()> {
        let outer = POLLED.replace(Some(self.number));
        let polled = task.poll(context);
        POLLED.set(outer);
        polled
    }

    /// Whether the task that is being polled is this request's. If not, the platform refuses to use the request's
    /// handles ("Cannot perform I/O on behalf of a different request").
    pub(crate) fn admits(&self) -> bool {
        let is_own = POLLED.get().is_none_or(|polled| polled == self.number);
        if !is_own {
            self.environment.mark(marks::OTHER_REQUEST_REFUSED);
            self.environment.note(format_args!("request {}: its handle is refused to another one", self.number));
        }
        is_own
    }

    /// Waits for the future; returns `None` as soon as another request's task polls it.
    pub(crate) async fn guard<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        poll_fn(|context| match self.admits() {
            true => future.as_mut().poll(context).map(Some),
            false => Poll::Ready(None),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::random::Seeds;
    use crate::kernel::rt;
    use crate::world::faults::Faults;

    fn context(number: u64) -> Rc<Context> {
        Context::new(Rc::new(Environment::new(Faults::default(), Seeds::of(1), None)), number)
    }

    /// Runs the only task of a request.
    async fn run(request: Rc<Context>, task: impl Future<Output = ()>) {
        let mut task = Some(task);
        let polls = request.clone();
        request.run(|_| task.take(), |task, context| polls.poll(task, context)).await;
    }

    #[test]
    fn a_handle_admits_the_task_of_its_request_and_a_test_but_no_other_task() {
        rt::block_on(1, async {
            let (own, other) = (context(1), context(2));
            let admitted = Rc::new(Cell::new((false, true)));
            let told = admitted.clone();
            let (first, second) = (own.clone(), own.clone());
            run(own.clone(), async { told.set((first.admits(), true)) }).await;
            run(other, async { told.set((told.get().0, second.admits())) }).await;
            assert_eq!(admitted.get(), (true, false));
            assert!(own.admits());
        });
    }

    #[test]
    fn a_wait_that_began_in_its_own_task_is_refused_as_soon_as_another_task_polls_it() {
        rt::block_on(1, async {
            let own = context(1);
            let mut wait = Box::pin(own.guard(rt::sleep_ms(50)));
            let began = rt::within_ms(10, run(own.clone(), async { assert_eq!(wait.as_mut().await, Some(())) })).await;
            assert_eq!(began, None);
            run(context(2), async { assert_eq!(wait.as_mut().await, None) }).await;
            assert_eq!(rt::now_ns() / 1_000_000, 10, "at once");
        });
    }

    #[test]
    fn a_request_that_is_ended_is_never_polled_again_and_what_it_holds_goes() {
        rt::block_on(1, async {
            let (request, held) = (context(1), Rc::new(()));
            let holds = held.clone();
            let task = run(request.clone(), async move {
                std::future::pending::<()>().await;
                drop(holds);
            });
            let end = async {
                rt::sleep_ms(20).await;
                assert!(request.end());
            };
            futures_util::future::join(task, end).await;
            assert_eq!((Rc::strong_count(&held), request.end()), (1, false));
        });
    }
}
