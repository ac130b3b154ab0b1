//! The executor: the only file that names madsim.
//!
//! It uses madsim's executor, which picks the next ready task at random, its virtual clock, and its replacements of the
//! clock and the randomness of the process; not its network, file system and nodes.

#[cfg(not(madsim))]
compile_error!(
    "the simulator needs `--cfg madsim`, which .cargo/config.toml sets for native targets; \
     a RUSTFLAGS variable in the environment overrides that file: unset it"
);

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::{Either, LocalBoxFuture, select};
use madsim::Config;
use madsim::runtime::{Handle, Runtime};
use madsim::task::AbortHandle;
use madsim::time::{Sleep, TimeHandle};

use crate::kernel::reply::reply;

/// Finished tasks are forgotten once a node remembers this many.
const PRUNE_AT: usize = 64;

thread_local! {
    static NODES: RefCell<Vec<Node>> = const { RefCell::new(Vec::new()) };
    /// What is about to run [`apart`].
    static APART: RefCell<Option<LocalBoxFuture<'static, ()>>> = const { RefCell::new(None) };
    /// The clock of the seed that runs on this thread. The executor keeps it, too, where it is dearer to come by.
    static CLOCK: RefCell<Option<TimeHandle>> = const { RefCell::new(None) };
}

/// Runs `future`, and the tasks that it spawns, on virtual time. The next ready task is picked at random by `seed`.
/// Tasks that still run when `future` ends are dropped. Panics if all tasks wait for something that cannot happen.
pub fn block_on<T>(seed: u64, future: impl Future<Output = T>) -> T {
    let mut result = None;
    // Boxed, so that the executor is compiled once and not once for each future.
    run(seed, Box::pin(async { result = Some(future.await) }));
    result.expect("the executor returns when the future is done")
}

fn run(seed: u64, future: LocalBoxFuture<'_, ()>) {
    let runtime = Runtime::with_seed_and_config(seed, Config::default());
    runtime.block_on(async move {
        CLOCK.set(Some(TimeHandle::current()));
        future.await;
        let nodes = NODES.take();
        nodes.iter().for_each(Node::kill);
        // A cancelled task's future is dropped when the executor comes to it.
        sleep_ms(1).await;
    });
    CLOCK.set(None);
}

/// Virtual ns since the start of this seed; 0 outside of a seed, where destructors of what remained of one may run.
pub fn now_ns() -> u64 {
    let elapsed = |clock: &RefCell<Option<TimeHandle>>| clock.borrow().as_ref().map(TimeHandle::elapsed);
    // A thread that ends has no clock any more.
    CLOCK.try_with(elapsed).ok().flatten().map_or(0, |elapsed| elapsed.as_nanos() as u64)
}

/// Runs the future, and all tasks that it spawns, where the executor can be made to forget those that have finished.
pub(crate) async fn apart<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
    let (sender, outcome) = reply();
    APART.set(Some(Box::pin(async move { sender.send(future.await) })));
    let node = Handle::current().create_node().build();
    // What runs on a node may spawn tasks there that cannot be sent to other threads.
    node.spawn(async {
        if let Some(future) = APART.take() {
            madsim::task::spawn_local(future);
        }
    });
    outcome.await.expect("the future sends its outcome")
}

/// Drops what the executor remembers of finished tasks that were spawned [`apart`], which is some 200 bytes for each.
/// Those who spawn millions call this now and then.
pub(crate) fn forget_finished_tasks() {
    // To count the others, the executor drops them.
    Handle::current().metrics().num_tasks();
}

/// Waits for this many ms; for 0 ms it returns at once.
pub async fn sleep_ms(ms: u64) {
    if ms > 0 {
        let duration = Duration::from_millis(ms);
        let sleep = CLOCK.with_borrow(|clock| clock.as_ref().map(|clock| clock.sleep(duration)));
        Timer { sleep: sleep.expect("a seed runs"), waker: None }.await;
    }
}

/// The future's output, or `None` if it is not ready after `ms`.
pub async fn within_ms<T>(ms: u64, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), pin!(sleep_ms(ms))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// Tasks that die together: those of an isolate, or of an instance of an object.
#[derive(Clone, Default)]
pub struct Node {
    tasks: Rc<RefCell<Vec<AbortHandle>>>,
}

impl Node {
    /// A node without tasks. Its tasks end with the seed at the latest.
    pub fn new() -> Self {
        let node = Self::default();
        NODES.with_borrow_mut(|nodes| nodes.push(node.clone()));
        node
    }

    /// Runs a task on this node.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        let future: LocalBoxFuture<'static, ()> = Box::pin(future);
        let handle = madsim::task::spawn_local(future).abort_handle();
        let mut tasks = self.tasks.borrow_mut();
        if tasks.len() >= PRUNE_AT && tasks.len().is_power_of_two() {
            tasks.retain(|task| !task.is_finished());
        }
        tasks.push(handle);
    }

    /// Ends all its tasks: none is polled again. If a task of the node calls this, its current poll still finishes.
    pub fn kill(&self) {
        for task in self.tasks.take() {
            task.abort();
        }
    }
}

/// A sleep that registers with the clock once for each waker; the executor's own does so at each poll.
struct Timer {
    sleep: Sleep,
    waker: Option<Waker>,
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let armed = self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if armed && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.waker = Some(context.waker().clone());
        Pin::new(&mut self.sleep).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_killed_node_runs_no_further_task_and_drops_them() {
        let ticks = Rc::new(Cell::new(0));
        let seen = block_on(1, {
            let ticks = ticks.clone();
            async move {
                let node = Node::new();
                let inside = ticks.clone();
                node.spawn(async move {
                    loop {
                        sleep_ms(10).await;
                        inside.set(inside.get() + 1);
                    }
                });
                sleep_ms(35).await;
                node.kill();
                sleep_ms(1000).await;
                ticks.get()
            }
        });
        assert_eq!(seen, 3);
        assert_eq!(Rc::strong_count(&ticks), 1, "the task's future is gone");
    }

    #[test]
    fn what_still_runs_at_the_end_of_a_seed_is_dropped() {
        let held = Rc::new(());
        block_on(1, {
            let held = held.clone();
            async move {
                Node::new().spawn(async move {
                    sleep_ms(1_000_000).await;
                    drop(held);
                });
                sleep_ms(5).await;
            }
        });
        assert_eq!(Rc::strong_count(&held), 1);
    }

    #[test]
    fn what_runs_apart_spawns_tasks_that_are_forgotten_once_they_have_finished() {
        let left = block_on(1, async {
            apart(async {
                (0..100).for_each(|ms| Node::new().spawn(sleep_ms(ms)));
                Node::new().spawn(std::future::pending());
                sleep_ms(200).await;
                Handle::current().metrics().num_tasks()
            })
            .await
        });
        assert_eq!(left, 2, "this one, and the one that never ends");
    }

    #[test]
    fn a_time_limit_ends_the_wait_and_not_before() {
        block_on(1, async {
            assert_eq!(within_ms(10, async { 7 }).await, Some(7));
            assert_eq!(within_ms(10, std::future::pending::<()>()).await, None);
            assert_eq!(now_ns() / 1_000_000, 10);
        });
    }
}
