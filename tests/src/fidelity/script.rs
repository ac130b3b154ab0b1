//! The text of the script, as steps.

use tailrace_core::protocol::Offset;
use tailrace_core::protocol::limits::PATH_LIMIT;

/// One step.
#[derive(Clone, Debug)]
// A script has some hundred steps, and nearly all are requests.
#[allow(clippy::large_enum_variant)]
pub enum Step {
    /// A request.
    Ask(Ask),
    /// Time passes, in ms.
    Sleep(u64),
}

/// A request, and what the script says about its answer.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its line in the script, from 1.
    pub line: usize,
    /// For how long it is sent again until its answer is what the script says, in ms.
    pub within_ms: u64,
    /// The status of the answer.
    pub status: u16,
    /// Rows written, if the script says.
    pub rows: Option<u64>,
    /// What the answer says of caches, if the script says: `X-Cache`, or `none`. Such a request is sent without debug
    /// headers, since no cache takes part in answers to these.
    pub cached: Option<String>,
    /// The body of the answer, if the script says.
    pub body: Option<String>,
    /// Lines that the body of the answer has, in this order.
    pub body_lines: Vec<String>,
    /// What the header `tailrace-cold` must say, if the script says.
    pub cold: Option<String>,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Header fields; in a value, `\xHH` is the byte HH.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub payload: Payload,
}

/// A request's body.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    /// The bytes; if empty, there is no body.
    pub bytes: Vec<u8>,
    /// Whether it is sent without its length.
    pub chunked: bool,
}

/// What is remembered of earlier answers.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    /// The last entity tag.
    pub etag: String,
    /// The last cursor.
    pub cursor: String,
    /// The time of the next request, in ms since the Unix epoch.
    pub now_ms: u64,
}

impl Variables {
    /// Puts offsets, the last entity tag and cursor, a time so many ms ahead, and a path of 512 bytes in place of
    /// `{S.P}`, `{etag}`, `{cursor}`, `{+MS}` and `{longest}`.
    pub fn fill(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let (name, after) = after.split_once('}').expect("a variable ends");
            match name.split_once('.') {
                None if name == "etag" => out.push_str(&self.etag),
                None if name == "cursor" => out.push_str(&self.cursor),
                None if name.starts_with('+') => {
                    let ahead_ms: u64 = name.parse().expect("a number");
                    out.push_str(&(self.now_ms + ahead_ms).to_string());
                }
                None if name == "longest" => out.push_str(&"%C3%A4".repeat(PATH_LIMIT / 2)),
                Some((segment, position)) => {
                    let number = |text: &str| text.parse().expect("a number");
                    let offset = Offset { read_seq: number(segment), position: number(position) };
                    out.push_str(&offset.to_string());
                }
                None => panic!("no variable {name}"),
            }
            rest = after;
        }
        out + rest
    }

    /// The bytes of a header value.
    pub fn value(&self, text: &str) -> Vec<u8> {
        let text = self.fill(text);
        let mut parts = text.split("\\x");
        let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
        for part in parts {
            let (digits, rest) = part.split_at(2);
            bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
            bytes.extend_from_slice(rest.as_bytes());
        }
        bytes
    }
}

/// The script's steps. Panics on a malformed line: the script is ours.
pub fn script() -> Vec<Step> {
    parse(include_str!("../../fidelity/script.txt"))
}

pub(super) fn parse(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut within_ms = 0;
    for (index, line) in text.lines().enumerate() {
        if let Some(body) = line.strip_prefix("  = ") {
            match steps.last_mut() {
                Some(Step::Ask(ask)) => ask.body = Some(body.to_owned()),
                _ => panic!("line {}: a body without a request", index + 1),
            }
        } else if let Some(body_line) = line.strip_prefix("  + ") {
            match steps.last_mut() {
                Some(Step::Ask(ask)) => ask.body_lines.push(body_line.to_owned()),
                _ => panic!("line {}: a body without a request", index + 1),
            }
        } else if let Some(cold) = line.strip_prefix("  ~ ") {
            match steps.last_mut() {
                Some(Step::Ask(ask)) => ask.cold = Some(cold.to_owned()),
                _ => panic!("line {}: objects without a request", index + 1),
            }
        } else if let Some(ms) = line.strip_prefix("sleep ") {
            steps.push(Step::Sleep(ms.parse().expect("milliseconds")));
        } else if let Some(ms) = line.strip_prefix("within ") {
            within_ms = ms.parse().expect("milliseconds");
        } else if !line.is_empty() && !line.starts_with('#') {
            let ask = Ask { within_ms: std::mem::take(&mut within_ms), ..ask(index + 1, line) };
            let is_read = matches!(ask.method.as_str(), "HEAD" | "GET");
            assert!(is_read || ask.within_ms == 0, "line {}: only reads are repeated", ask.line);
            steps.push(Step::Ask(ask));
        }
    }
    steps
}

fn ask(line: usize, text: &str) -> Ask {
    let (status, rest) = text.split_once(' ').expect("a status");
    let (rows, rest) = named(rest, "rows=");
    let rows = rows.map(|rows| rows.parse().expect("a count"));
    let (cached, rest) = named(rest, "cache=");
    let cached = cached.map(str::to_owned);
    let (method, rest) = rest.split_once(' ').expect("a target");
    let (target, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (headers, rest) = match rest.strip_prefix("{ ") {
        None => (Vec::new(), rest),
        Some(rest) => {
            let Some((headers, rest)) = rest.rsplit_once(" }") else { panic!("line {line}: no end") };
            let pairs = headers.split("; ").fold(Vec::<String>::new(), join_parameters);
            let pair = |text: &String| {
                let (name, value) = text.split_once(": ").expect("a header");
                (name.to_owned(), value.to_owned())
            };
            (pairs.iter().map(pair).collect(), rest)
        }
    };
    let body = rest.trim_start_matches(' ').strip_prefix("= ").unwrap_or_default();
    let status = status.parse().unwrap_or_else(|_| panic!("line {line}: no status"));
    let (method, target) = (method.to_owned(), target.to_owned());
    let (body, body_lines, payload) = (None, Vec::new(), payload(body));
    Ask { line, within_ms: 0, status, rows, cached, body, body_lines, cold: None, method, target, headers, payload }
}

/// The value after this name, if the text begins with it, and the rest of the text.
fn named<'a>(text: &'a str, name: &str) -> (Option<&'a str>, &'a str) {
    let named = text.strip_prefix(name).map(|rest| rest.split_once(' ').expect("a method"));
    named.map_or((None, text), |(value, rest)| (Some(value), rest))
}

/// Joins a parameter of a media type (`; charset=x`) to the field before it.
fn join_parameters(mut fields: Vec<String>, text: &str) -> Vec<String> {
    match fields.last_mut() {
        Some(last) if !text.contains(": ") => {
            last.push_str("; ");
            last.push_str(text);
        }
        _ => fields.push(text.to_owned()),
    }
    fields
}

fn payload(text: &str) -> Payload {
    let (text, chunked) = text.strip_suffix(" chunked").map_or((text, false), |text| (text, true));
    let count = |digits: &str| digits.parse::<usize>().expect("a count");
    let bytes = if let Some(digits) = text.strip_prefix("@bytes:") {
        // The bytes differ, so that a page that starts one byte off does not look right.
        (0..count(digits)).map(|index| b'a' + (index % 23) as u8).collect()
    } else if let Some(digits) = text.strip_prefix("@json:") {
        let inner = (0..count(digits) - 2).map(|index| b'a' + (index % 23) as u8);
        [b'"'].into_iter().chain(inner).chain([b'"']).collect()
    } else if let Some(digits) = text.strip_prefix("@hex:") {
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("two digits");
        digits.as_bytes().chunks(2).map(byte).collect()
    } else {
        text.as_bytes().to_vec()
    };
    Payload { bytes, chunked }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_has_what_it_promises() {
        let asks: Vec<_> = script()
            .into_iter()
            .filter_map(|step| match step {
                Step::Ask(ask) => Some(ask),
                Step::Sleep(_) => None,
            })
            .collect();
        assert!(asks.len() >= 150, "{}", asks.len());
        for (method, statuses) in [
            ("PUT", &[200, 201, 400, 404, 409, 413, 501][..]),
            ("POST", &[200, 204, 400, 403, 404, 409, 413]),
            ("GET", &[200, 204, 304, 400, 404, 410, 501]),
            ("HEAD", &[200, 400, 404]),
            ("DELETE", &[204, 400, 404]),
            ("OPTIONS", &[204]),
        ] {
            for status in statuses {
                assert!(asks.iter().any(|ask| ask.method == method && ask.status == *status), "{method} {status}");
            }
        }
    }

    #[test]
    fn a_line_is_read_as_it_is_meant() {
        let ask = ask(1, "204 rows=1 POST /a?b { content-type: text/plain; charset=x; stream-seq: 1 } =  two");
        assert_eq!((ask.status, ask.rows, ask.cached, ask.target.as_str()), (204, Some(1), None, "/a?b"));
        assert_eq!(
            ask.headers,
            [
                ("content-type".to_owned(), "text/plain; charset=x".to_owned()),
                ("stream-seq".to_owned(), "1".to_owned()),
            ]
        );
        assert_eq!(ask.payload.bytes, b" two");
        let variables = Variables { etag: "\"x\"".to_owned(), cursor: "7".to_owned(), now_ms: 90 };
        assert_eq!(variables.fill("{1.2} {etag}"), "0000000000000001_0000000000000002 \"x\"");
        assert_eq!(variables.fill("{cursor} {+10}"), "7 100");
        assert_eq!(variables.value("j\\xFCrgen\\x41\u{e9}"), b"j\xfcrgenA\xc3\xa9");
        let ask = super::ask(1, "200 cache=HIT GET /a");
        assert_eq!((ask.rows, ask.cached.as_deref(), ask.target.as_str()), (None, Some("HIT"), "/a"));
    }
}
