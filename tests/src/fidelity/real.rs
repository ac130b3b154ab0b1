//! Asking a running Worker.

use std::io::{Cursor, Read as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ureq::http::{HeaderValue, Request};
use ureq::{Agent, SendBody};

use super::{Answer, Ask, PAUSE_MS, Step, Variables, check_expectation};

/// The answers of the Worker at `origin`. Nobody else may use it meanwhile.
pub fn run_real(origin: &str, steps: &[Step]) -> Vec<Answer> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into();
    let mut variables = Variables::default();
    let mut answers = Vec::new();
    for step in steps {
        match step {
            Step::Sleep(ms) => std::thread::sleep(Duration::from_millis(*ms)),
            Step::Ask(ask) => {
                let start = Instant::now();
                answers.push(loop {
                    let answer = asked(&agent, origin, ask, &mut variables);
                    let late = start.elapsed() >= Duration::from_millis(ask.within_ms);
                    if late || check_expectation(ask, &answer).is_none() {
                        break answer;
                    }
                    std::thread::sleep(Duration::from_millis(PAUSE_MS));
                });
            }
        }
    }
    answers
}

fn asked(agent: &Agent, origin: &str, ask: &Ask, variables: &mut Variables) -> Answer {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after the epoch");
    variables.now_ms = now.as_millis() as u64;
    let url = format!("{origin}{}", variables.fill(&ask.target));
    let mut request = Request::builder().method(ask.method.as_str()).uri(&url);
    if ask.cached.is_none() {
        request = request.header("tailrace-debug", "1");
    }
    for (name, value) in &ask.headers {
        let value = HeaderValue::from_bytes(&variables.value(value)).expect("a header value");
        request = request.header(name, value);
    }
    let chunks = Cursor::new(ask.payload.bytes.clone());
    let body = match (ask.payload.bytes.is_empty(), ask.payload.chunked) {
        (true, _) => SendBody::none(),
        // `ureq` sends a body of unknown length in chunks.
        (_, true) => SendBody::from_owned_reader(chunks),
        (_, false) => {
            request = request.header("content-length", ask.payload.bytes.len());
            SendBody::from_owned_reader(chunks)
        }
    };
    let request = request.body(body).expect("a request");
    let response = agent.run(request).unwrap_or_else(|error| panic!("line {}: {error}", ask.line));
    let (parts, body) = response.into_parts();
    let mut bytes = Vec::new();
    body.into_reader().read_to_end(&mut bytes).unwrap_or_else(|error| panic!("line {}: {error}", ask.line));
    let headers =
        parts.headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()));
    Answer::new(variables, origin, parts.status.as_u16(), headers, bytes)
}
