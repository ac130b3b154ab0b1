//! The context of one request at the edge. A handle (of a body, a reply, a socket or a flight) belongs to the request
//! that it was made for: only while that request's task is polled may the handle be used, as on the platform. The
//! context knows which request's task is polled, and whether the platform has ended its own request.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use crate::world::environment::Environment;
use crate::world::event::{Lane, What};
use crate::world::harm::Harm;
use crate::world::marks;
use crate::world::memory::Meter;

/// The context of no request: while a task is dropped, nobody may use handles.
const NOBODY: *const Context = std::ptr::null();

thread_local! {
    /// The context of the request whose task is being polled; `None` if a test uses handles by itself. It is compared and
    /// never followed.
    static POLLED: Cell<Option<*const Context>> = const { Cell::new(None) };
}

/// The context of one request, which all its handles share.
pub(crate) struct Context {
    environment: Rc<Environment>,
    /// Of the isolate.
    memory: Meter,
    number: u64,
    /// Whether the platform has ended the request: its task is never polled again.
    has_ended: Cell<bool>,
    /// Whether the request goes on for a while after its client has gone.
    outlives: Cell<bool>,
    /// Whether the instance that serves the request is lost, and its task with it.
    is_lost: Cell<bool>,
    /// Whether the request's task waits for an operation.
    waits: Cell<bool>,
    /// Whether the request has a socket.
    has_socket: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Context {
    /// The context of the request of that number. No other request has the number; what a gateway asks for it has.
    pub(crate) fn new(environment: Rc<Environment>, memory: Meter, number: u64) -> Rc<Self> {
        Rc::new(Self {
            environment,
            memory,
            number,
            has_ended: Cell::default(),
            outlives: Cell::default(),
            is_lost: Cell::default(),
            waits: Cell::default(),
            has_socket: Cell::default(),
            waker: RefCell::default(),
        })
    }

    /// The request's number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A fault has touched the request.
    pub(crate) fn harm(&self, harm: Harm) {
        self.environment.harm(harm, Some(self.number));
    }

    /// What the isolate has in memory.
    pub(crate) fn memory(&self) -> &Meter {
        &self.memory
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
        self.is_lost.set(true);
        self.wake();
    }

    /// The request has a socket from here on. A second one is a bug of core: the simulation ends.
    pub(crate) fn open_socket(&self) {
        assert!(!self.has_socket.replace(true), "request {}: a second socket at a time", self.number);
    }

    pub(crate) fn close_socket(&self) {
        self.has_socket.set(false);
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Runs the request's tasks until one comes to its end, or the platform ends the request. `begin` makes a task for
    /// an instance, told how many were lost before; it returns `None` if the request has come to its end with the last
    /// one. `poll` polls a task; it returns `Ready` if the task ends, or is lost by this.
    pub(crate) async fn run<T: Future<Output = ()>>(
        self: Rc<Self>,
        mut begin: impl FnMut(u32) -> Option<T>,
        mut poll: impl FnMut(Pin<&mut T>, &mut TaskContext<'_>) -> Poll<()>,
    ) {
        let mut losses = 0;
        let mut task = begin(losses).map(Box::pin);
        poll_fn(|context| {
            *self.waker.borrow_mut() = Some(context.waker().clone());
            if self.is_lost.take() && !self.has_ended.get() {
                losses += 1;
                // What the lost task held is gone before the next one begins.
                Self::release(&mut task);
                task = begin(losses).map(Box::pin);
            }
            let polled = match task.as_mut().filter(|_| !self.has_ended.get()) {
                Some(task) => poll(task.as_mut(), context),
                None => Poll::Ready(()),
            };
            if polled.is_ready() {
                // Dropped before `has_ended` is set: what a finished task still holds ends in good order.
                Self::release(&mut task);
                self.has_ended.set(true);
            }
            polled
        })
        .await;
    }

    /// Drops a task. What its handles stand for goes; beyond that they do nothing, as on the platform, where
    /// destructors do not run or can reach nothing.
    fn release<T>(task: &mut Option<T>) {
        let outer = POLLED.replace(Some(NOBODY));
        *task = None;
        POLLED.set(outer);
    }

    /// Polls a task of the request. Meanwhile the request's handles may be used.
    pub(crate) fn poll(&self, task: Pin<&mut impl Future<Output = ()>>, context: &mut TaskContext<'_>) -> Poll<()> {
        let outer = POLLED.replace(Some(std::ptr::from_ref(self)));
        let polled = task.poll(context);
        POLLED.set(outer);
        polled
    }

    /// Whether the task that is being polled is this request's. If not, the platform refuses to use the request's
    /// handles ("Cannot perform I/O on behalf of a different request").
    pub(crate) fn admits(&self) -> bool {
        let polled = POLLED.get();
        let is_own = polled.is_none_or(|polled| std::ptr::eq(polled, self));
        if !is_own && polled != Some(NOBODY) {
            self.environment.mark(marks::OTHER_REQUEST_REFUSED);
            self.environment.note(Lane::Edge, What::HandleRefused, Some(self.number));
        }
        is_own
    }

    /// Waits for the future; returns `None` as soon as another request's task polls it. A task waits for one operation
    /// at a time: the host on Workers could not tell two apart.
    pub(crate) async fn guard<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        assert!(!self.waits.replace(true), "request {}: it waits for two operations at a time", self.number);
        let _wait = Wait(&self.waits);
        let mut future = pin!(future);
        poll_fn(|context| match self.admits() {
            true => future.as_mut().poll(context).map(Some),
            false => Poll::Ready(None),
        })
        .await
    }
}

/// A wait for an operation, as long as this lives.
struct Wait<'a>(&'a Cell<bool>);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::random::Seeds;
    use crate::kernel::rt;
    use crate::world::faults::Faults;

    fn context(number: u64) -> Rc<Context> {
        Context::new(Rc::new(Environment::new(Faults::default(), Seeds::of(1), None)), Meter::default(), number)
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
    #[should_panic(expected = "it waits for two operations at a time")]
    fn a_task_that_waits_for_two_operations_at_a_time_ends_the_simulation() {
        rt::block_on(1, async {
            let own = context(1);
            let waits = own.clone();
            run(own, async move {
                futures_util::future::join(waits.guard(rt::sleep_ms(1)), waits.guard(rt::sleep_ms(2))).await;
            })
            .await;
        });
    }

    #[test]
    fn while_a_task_is_dropped_its_handles_do_nothing() {
        struct Asks(Rc<Context>, Rc<Cell<Option<bool>>>);
        impl Drop for Asks {
            fn drop(&mut self) {
                self.1.set(Some(self.0.admits()));
            }
        }
        rt::block_on(1, async {
            let (own, admitted) = (context(1), Rc::new(Cell::new(None)));
            let held = Asks(own.clone(), admitted.clone());
            let ends = own.clone();
            let task = run(own, async move {
                let _held = held;
                std::future::pending::<()>().await;
            });
            let end = async {
                rt::sleep_ms(1).await;
                ends.end();
            };
            futures_util::future::join(task, end).await;
            assert_eq!(admitted.get(), Some(false));
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
