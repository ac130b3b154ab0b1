//! An answer, less what may differ.

use super::{Ask, Variables};

/// What a host answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Header fields in the order of their names, normalised.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Rows written, as the object counted them.
    pub rows: Option<u64>,
}

/// Fields that hosts and connections add, and the name of the instance.
const IGNORED: &[&str] =
    &["connection", "content-length", "date", "keep-alive", "tailrace-instance", "transfer-encoding", "vary"];

/// What the alarm has made of a stream.
const COLD: &str = "tailrace-cold";

impl Answer {
    /// From an answer as it came; remembers its entity tag. `origin` is where it was asked.
    pub fn new(
        variables: &mut Variables,
        origin: &str,
        status: u16,
        headers: impl Iterator<Item = (String, String)>,
        body: Vec<u8>,
    ) -> Self {
        let mut rows = None;
        let mut kept = Vec::new();
        for (name, value) in headers {
            match name.as_str() {
                "tailrace-rows-written" => rows = value.parse().ok(),
                "etag" => {
                    // An entity tag begins with the incarnation, which is random.
                    let normal = value.split_once(':').map(|(_, range)| format!("\"INCARNATION:{range}"));
                    kept.push((name, normal.unwrap_or_else(|| value.clone())));
                    variables.etag = value;
                }
                // A cursor is a time.
                "stream-cursor" => kept.push((name, "CURSOR".to_owned())),
                name if IGNORED.contains(&name) => {}
                _ => kept.push((name, value.replace(origin, "ORIGIN"))),
            }
        }
        kept.sort();
        let has_events = kept.iter().any(|(name, value)| name == "content-type" && value == "text/event-stream");
        let body = if has_events { without_cursors(&body) } else { body };
        Self { status, headers: kept, body, rows }
    }

    /// Without what the alarm has made of the stream: that depends on when it is asked.
    pub fn without_cold(mut self) -> Self {
        self.headers.retain(|(name, _)| name != COLD);
        self
    }

    /// A number of its header `tailrace-cold`.
    pub fn cold(&self, name: &str) -> Option<u64> {
        let (_, text) = self.headers.iter().find(|(name, _)| name == COLD)?;
        let mut numbers = text.split("; ").filter_map(|number| number.split_once('='));
        numbers.find(|(found, _)| *found == name)?.1.parse().ok()
    }
}

/// Events with a word for each cursor, of which they tell in JSON.
fn without_cursors(events: &[u8]) -> Vec<u8> {
    const FIELD: &str = "\"streamCursor\":\"";
    let text = String::from_utf8_lossy(events);
    let mut parts = text.split(FIELD);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let after = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        assert!(after.len() < part.len(), "a cursor is a number: {part:.40}");
        out.extend([FIELD, "CURSOR", after]);
    }
    out.into_bytes()
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(self.body.get(..200).unwrap_or(&self.body));
        writeln!(formatter, "{} rows={:?} body({})={shown:?}", self.status, self.rows, self.body.len())?;
        self.headers.iter().try_for_each(|(name, value)| writeln!(formatter, "  {name}: {value}"))
    }
}

/// What differs between an answer and what the script says of it, if anything does.
pub fn check_expectation(ask: &Ask, answer: &Answer) -> Option<String> {
    let described = |what: String| Some(format!("line {}: {} {}: {what}", ask.line, ask.method, ask.target));
    if answer.status != ask.status {
        return described(format!("{} instead of {}\n{answer:?}", answer.status, ask.status));
    }
    if ask.rows.is_some() && answer.rows != ask.rows {
        return described(format!("rows written: {:?} instead of {:?}", answer.rows, ask.rows));
    }
    let cold = answer.headers.iter().find(|(name, _)| name == COLD).map_or("", |(_, value)| value.as_str());
    let mut told = ask.cold.iter().flat_map(|told| told.split("; "));
    if told.any(|number| !cold.split("; ").any(|found| found == number)) {
        return described(format!("objects: {cold:?} instead of {:?}", ask.cold));
    }
    match &ask.body {
        Some(body) if answer.body != body.as_bytes() => described(format!("not {body:?}\n{answer:?}")),
        _ => None,
    }
}
