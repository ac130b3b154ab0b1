//! Requests at the edge as tasks. A task is the future of core that serves one request; JavaScript polls it whenever
//! the operation that it waits for has ended.
//!
//! A task has its request's JavaScript object only while it is polled, and keeps no reference to it. So it can use no
//! other request's handles, and if the runtime ends a request without telling us, only the task is left: JavaScript has
//! it dropped when it finds that the request's object is garbage.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use tailrace_core::edge;
use tailrace_core::protocol::{Headers, Method};
use tailrace_core::runtime::{Past, Request};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::deployment::Deployment;
use crate::edge_env::{RequestEnv, Upload, answer_with};
use crate::io::EdgeIo;
use crate::operation;

type Task = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// The tasks that wait, by number.
    static TASKS: RefCell<BTreeMap<u32, Task>> = const { RefCell::new(BTreeMap::new()) };
    /// The number of the task that was started last.
    static LAST: Cell<u32> = const { Cell::new(0) };
}

/// The names of the header fields that core reads by this deployment's configuration, each ended by a line feed.
#[wasm_bindgen(js_name = pickedHeaders)]
pub fn picked_headers() -> String {
    Deployment::with(|deployment| {
        let names = edge::picked_headers(&deployment.edge);
        #[cfg(feature = "faults")]
        let names = names.chain([crate::fault::HEADER]);
        names.flat_map(|name| [name, "\n"]).collect()
    })
}

/// The method, the URL and the header fields of a request's text, as `serve` takes it.
fn parsed(request: &str) -> (Method, String, Headers) {
    let mut lines = request.split_terminator('\n');
    let method = Method::from_token(lines.next().unwrap_or_default());
    let url = lines.next().unwrap_or_default().to_owned();
    (method, url, Headers::from_lines(lines))
}

/// Starts the task of a request and polls it once. Returns its number, or 0 if it has ended already. `request` is the
/// method, the URL, and names and values of the picked fields in turn, each followed by a line feed. `is_inner` tells that
/// it has come to the inner entrypoint. `losses`, `has_called` and `age_ms` tell of its earlier tasks.
#[wasm_bindgen]
pub fn serve(
    io: EdgeIo,
    request: &str,
    is_inner: bool,
    has_body: bool,
    losses: u32,
    has_called: bool,
    age_ms: f64,
) -> u32 {
    let (method, url, headers) = parsed(request);
    #[cfg(feature = "faults")]
    let env = RequestEnv::new(crate::fault::at_edge(&headers));
    #[cfg(not(feature = "faults"))]
    let env = RequestEnv::new();
    let past = Past { losses, has_called, age_ms: age_ms as u64 };
    let request = Request { method, url, headers, body: has_body.then_some(Upload), past };
    let config = Deployment::with(|deployment| deployment.edge.clone());
    let task: Task = match is_inner {
        true => Box::pin(async move { edge::serve_inner(&env, &config, request).await }),
        false => Box::pin(async move { edge::serve(&env, &config, request).await }),
    };
    let number = LAST.get().wrapping_add(1).max(1);
    LAST.set(number);
    if run(io, number, task) { 0 } else { number }
}

/// Answers a request, whose text is that which `serve` takes, at which the last instance was lost.
#[wasm_bindgen(js_name = answerWhenLost)]
pub fn answer_when_lost(io: EdgeIo, request: &str, is_inner: bool) {
    let (_, url, headers) = parsed(request);
    let response = match is_inner {
        true => edge::object_when_lost(),
        false => Deployment::with(|deployment| edge::answer_when_lost(&deployment.edge, &url, &headers)),
    };
    operation::with(io, || answer_with(&response));
}

/// Answers with what an object is to answer once the instance is lost, and whoever no other answer can be made for.
#[wasm_bindgen(js_name = objectWhenLost)]
pub fn object_when_lost(io: EdgeIo) {
    operation::with(io, || answer_with(&edge::object_when_lost()));
}

/// Polls a task whose operation has ended with this outcome (a number of `outcome`). Returns whether the task has
/// ended.
#[wasm_bindgen]
pub fn poll(io: EdgeIo, task: u32, outcome: f64) -> bool {
    operation::set_outcome(outcome as i64);
    match TASKS.with_borrow_mut(|tasks| tasks.remove(&task)) {
        Some(waiting) => run(io, task, waiting),
        // JavaScript polls only tasks that wait; one that is not there was dropped when its client had gone.
        None => true,
    }
}

/// Drops a task whose request the runtime has ended.
#[wasm_bindgen]
pub fn drop(task: u32) {
    let dropped = TASKS.with_borrow_mut(|tasks| tasks.remove(&task));
    // Dropped only now that the map is no longer borrowed: what the task holds may use the map when it is dropped.
    std::mem::drop(dropped);
}

/// How many tasks wait.
#[cfg(feature = "faults")]
#[wasm_bindgen(js_name = taskCount)]
pub fn task_count() -> u32 {
    TASKS.with_borrow(|tasks| tasks.len() as u32)
}

fn run(io: EdgeIo, number: u32, mut task: Task) -> bool {
    operation::with(io, || {
        let has_ended = task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        if has_ended {
            // Dropped while its request can still be asked: handles that it still holds are closed there.
            std::mem::drop(task);
        } else {
            TASKS.with_borrow_mut(|tasks| tasks.insert(number, task));
        }
        has_ended
    })
}
