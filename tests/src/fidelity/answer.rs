//! An answer, without what may differ between hosts.

use super::{Ask, Variables};

/// What a host answered.
#[derive(Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Header fields in the order of their names, normalised.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Rows written, as the object counted them.
    pub rows: Option<u64>,
    /// Rows read, where the host counts them.
    pub rows_read: Option<u64>,
    /// Its header `tailrace-cold`. It changes when an alarm has run, so it is compared only where the script says.
    pub objects: Option<String>,
}

/// Fields that are left out: those that hosts, connections and caches add, and the name of the instance.
const IGNORED: &[&str] = &[
    "cf-cache-status",
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "tailrace-instance",
    "transfer-encoding",
    "vary",
];

impl Answer {
    /// From an answer as it came from the host at `origin`; remembers its entity tag.
    pub fn new(
        variables: &mut Variables,
        origin: &str,
        status: u16,
        headers: impl Iterator<Item = (String, String)>,
        body: Vec<u8>,
    ) -> Self {
        let (mut rows, mut rows_read, mut objects) = (None, None, None);
        let mut kept = Vec::new();
        for (name, value) in headers {
            match name.as_str() {
                "tailrace-rows-written" => rows = value.parse().ok(),
                "tailrace-rows-read" => rows_read = number(&value, "request"),
                "tailrace-cold" => objects = Some(value),
                "etag" => {
                    // An entity tag begins with the incarnation, which is random.
                    let normal = value.split_once(':').map(|(_, range)| format!("\"INCARNATION:{range}"));
                    kept.push((name, normal.unwrap_or_else(|| value.clone())));
                    variables.etag = value;
                }
                // A cursor is a time.
                "stream-cursor" => {
                    kept.push((name, "CURSOR".to_owned()));
                    variables.cursor = value;
                }
                "age" => kept.push((name, "AGE".to_owned())),
                name if IGNORED.contains(&name) => {}
                _ => kept.push((name, value.replace(origin, "ORIGIN"))),
            }
        }
        // Any other answer says it where it was on its way for long: on a busy machine.
        if !kept.iter().any(|(name, value)| name == "x-cache" && value == "HIT") {
            kept.retain(|(name, _)| name != "age");
        }
        kept.sort();
        let has_events = kept.iter().any(|(name, value)| name == "content-type" && value == "text/event-stream");
        let body = if has_events { without_chance(&body, &mut variables.cursor) } else { body };
        Self { status, headers: kept, body, rows, rows_read, objects }
    }

    /// Whether another host has answered the same.
    pub fn agrees(&self, other: &Self, ask: &Ask) -> bool {
        (self.status, self.rows) == (other.status, other.rows)
            && self.headers == other.headers
            && self.body == other.body
            && (ask.cold.is_none() || self.objects == other.objects)
    }

    /// What it says of caches.
    fn cached(&self) -> &str {
        self.headers.iter().find(|(name, _)| name == "x-cache").map_or("none", |(_, value)| value)
    }

    /// A number of its header `tailrace-cold`.
    pub fn cold(&self, name: &str) -> Option<u64> {
        number(self.objects.as_ref()?, name)
    }
}

/// A number of a header field that holds several.
fn number(text: &str, name: &str) -> Option<u64> {
    let mut numbers = text.split("; ").filter_map(|number| number.split_once('='));
    numbers.find(|(found, _)| *found == name)?.1.parse().ok()
}

/// Events with a fixed word in place of each cursor, which is a time, and of the time after which to come back, which
/// is random; remembers the last cursor.
fn without_chance(events: &[u8], last: &mut String) -> Vec<u8> {
    const CURSOR: &str = "\"streamCursor\":\"";
    let mut text = String::from_utf8_lossy(events).into_owned();
    for (field, word) in [(CURSOR, "CURSOR"), ("retry:", "RETRY")] {
        let mut parts = text.split(field);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let after = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
            assert!(after.len() < part.len(), "{field} is followed by a number: {part:.40}");
            if field == CURSOR {
                *last = part[..part.len() - after.len()].to_owned();
            }
            out.extend([field, word, after]);
        }
        text = out;
    }
    text.into_bytes()
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(self.body.get(..200).unwrap_or(&self.body));
        writeln!(formatter, "{} rows={:?} body({})={shown:?}", self.status, self.rows, self.body.len())?;
        self.headers.iter().try_for_each(|(name, value)| writeln!(formatter, "  {name}: {value}"))
    }
}

/// How an answer differs from what the script says, if it does.
pub fn check_expectation(ask: &Ask, answer: &Answer) -> Option<String> {
    let described = |what: String| Some(format!("line {}: {} {}: {what}", ask.line, ask.method, ask.target));
    if answer.status != ask.status {
        return described(format!("{} instead of {}\n{answer:?}", answer.status, ask.status));
    }
    if ask.rows.is_some() && answer.rows != ask.rows {
        return described(format!("rows written: {:?} instead of {:?}", answer.rows, ask.rows));
    }
    if ask.cached.as_deref().is_some_and(|cached| answer.cached() != cached) {
        return described(format!("cache: {} instead of {:?}\n{answer:?}", answer.cached(), ask.cached));
    }
    let objects = answer.objects.as_deref().unwrap_or_default();
    let mut told = ask.cold.iter().flat_map(|told| told.split("; "));
    if told.any(|number| !objects.split("; ").any(|found| found == number)) {
        return described(format!("objects: {objects:?} instead of {:?}", ask.cold));
    }
    let text = String::from_utf8_lossy(&answer.body);
    let mut lines = text.lines();
    if let Some(missing) = ask.body_lines.iter().find(|line| !lines.any(|found| found == **line)) {
        return described(format!("no line {missing:?}, or not there\n{answer:?}"));
    }
    match &ask.body {
        Some(body) if answer.body != body.as_bytes() => described(format!("not {body:?}\n{answer:?}")),
        _ => None,
    }
}
