//! What the Worker calls: a request's route, and the answer for an object that failed.

use tailrace_core::edge::{self, PICKED_HEADERS, Routed};
use tailrace_core::protocol::message::Live;
use tailrace_core::runtime::{CallError, Method, Response};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::deployment::Deployment;
use crate::field;
use crate::io::{EdgeIo, words};

/// How a call to an object failed, as JavaScript tells it.
const OVERLOADED: u32 = 1;
const EXCEPTION: u32 = 2;

/// The names of the header fields that core reads, each ended by a line feed.
#[wasm_bindgen(js_name = pickedHeaders)]
pub fn picked_headers() -> String {
    let names = PICKED_HEADERS.iter().copied();
    #[cfg(feature = "faults")]
    let names = names.chain([crate::fault::HEADER]);
    names.flat_map(|name| [name, "\n"]).collect()
}

/// Tells `io` what becomes of a request. `request` is the method, the URL, and names and values of the picked fields,
/// each ended by a line feed.
#[wasm_bindgen]
pub fn route(io: &EdgeIo, request: &str) {
    let mut lines = request.split_terminator('\n');
    let method = Method::from_token(lines.next().unwrap_or_default());
    let url = lines.next().unwrap_or_default();
    let headers = field::decode(lines);
    #[cfg(feature = "faults")]
    let fault = crate::fault::at_edge(&headers);
    let told = match Deployment::with(|deployment| edge::route(&deployment.edge, method, url, &headers)) {
        Routed::Answer(response) => answer(io, &response),
        Routed::Forward(forward) => {
            #[cfg(feature = "faults")]
            let forward = crate::fault::forward(fault, forward);
            let target = [forward.object.as_str(), forward.message.as_str()].concat();
            io.forward(&target, forward.object.len() as u32, forward.collect_body, forward.body_limit as f64)
        }
        Routed::Live(live) => {
            let (sse, shares) = (live.mode == Live::Sse, live.flight_key().is_some());
            #[cfg(feature = "faults")]
            let live = crate::fault::live(fault, live);
            let target = [live.object.as_str(), live.message.as_str()].concat();
            let limit_ms = Deployment::with(|deployment| deployment.edge.live.waits.flight_limit_ms());
            io.live(&target, live.object.len() as u32, sse, shares, limit_ms as f64)
        }
    };
    report(told);
}

/// Tells `io` the answer for an object that failed: `kind` is how, `exception` what it threw, for operators.
#[wasm_bindgen]
pub fn unreachable(io: &EdgeIo, method: &str, kind: u32, exception: &str) {
    let error = call_error(kind, exception);
    let method = Method::from_token(method);
    let response = Deployment::with(|deployment| edge::unreachable(&deployment.edge, method, &error));
    report(answer(io, &response));
}

/// How a call to an object failed.
pub(crate) fn call_error(kind: u32, exception: &str) -> CallError {
    match kind {
        OVERLOADED => CallError::Overloaded,
        EXCEPTION => CallError::Exception(exception.to_owned()),
        _ => CallError::Reset,
    }
}

fn answer(io: &EdgeIo, response: &Response) -> Result<(), JsValue> {
    io.answer(response.status, &field::encode(&response.headers), &response.body)
}

/// JavaScript answers a request of which it was told nothing with a 500.
fn report(told: Result<(), JsValue>) {
    if let Err(exception) = told {
        tracing::error!(message = words(&exception), "the edge has not taken an answer");
    }
}
