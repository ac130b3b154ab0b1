//! Server-sent events as a browser reads them (WHATWG HTML, "Interpreting an event stream"), piece by piece.

/// What a piece of an event stream adds up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// An event.
    Event {
        /// Its type; `message` where the stream names none.
        kind: String,
        /// Its data lines, joined by LF.
        data: String,
        /// The id that the stream gives it, if it does.
        id: Option<String>,
    },
    /// After how many ms a browser is to come back once the connection has ended.
    Retry(u64),
    /// A comment: a sign of life, and nothing else.
    Comment,
}

/// Reads an event stream. What a connection ends in the middle of is no event.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    line: Vec<u8>,
    /// The last byte was a CR: a LF that follows belongs to it.
    after_cr: bool,
    /// Past the byte order mark that may lead the stream.
    begun: bool,
    kind: String,
    data: Option<String>,
    id: Option<String>,
    retry_ms: Option<u64>,
}

impl EventReader {
    /// Takes what arrived; answers what it completes.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<Sent> {
        let mut sent = Vec::new();
        for byte in bytes {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {}
                b'\r' | b'\n' => {
                    self.after_cr = *byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    sent.extend(self.end_line(&line));
                }
                _ => self.line.push(*byte),
            }
        }
        sent
    }

    /// After how many ms a browser comes back, if the connection has said so.
    pub(crate) fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// Whether an event has begun that is not complete.
    pub(crate) fn is_inside_event(&self) -> bool {
        !self.line.is_empty() || !self.kind.is_empty() || self.data.is_some() || self.id.is_some()
    }

    fn end_line(&mut self, line: &[u8]) -> Option<Sent> {
        let text = String::from_utf8_lossy(line);
        let text = if self.begun { &text } else { text.strip_prefix('\u{feff}').unwrap_or(&text) };
        self.begun = true;
        if text.is_empty() {
            let (kind, id) = (std::mem::take(&mut self.kind), self.id.take());
            let data = self.data.take()?;
            return Some(Sent::Event { kind: if kind.is_empty() { "message".to_owned() } else { kind }, data, id });
        }
        let (field, value) = match text.split_once(':') {
            Some(("", _)) => return Some(Sent::Comment),
            Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
            None => (text, ""),
        };
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" => {
                let retry_ms = value.parse().ok()?;
                self.retry_ms = Some(retry_ms);
                return Some(Sent::Retry(retry_ms));
            }
            // Unknown fields tell nothing.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, data: &str) -> Sent {
        Sent::Event { kind: kind.to_owned(), data: data.to_owned(), id: None }
    }

    fn event_with_id(kind: &str, data: &str, id: &str) -> Sent {
        Sent::Event { kind: kind.to_owned(), data: data.to_owned(), id: Some(id.to_owned()) }
    }

    fn check(text: &str, expected: &[Sent]) {
        assert_eq!(EventReader::default().read(text.as_bytes()), expected, "{text:?}");
        // However the bytes arrive, they say the same.
        let mut reader = EventReader::default();
        let one_by_one: Vec<Sent> = text.bytes().flat_map(|byte| reader.read(&[byte])).collect();
        assert_eq!(one_by_one, expected, "{text:?} byte by byte");
    }

    #[test]
    fn fields_lines_and_events_are_told_apart_as_browsers_do() {
        check("", &[]);
        check("data:a\n\n", &[event("message", "a")]);
        check("event: data\ndata: a\ndata:  b\n\n", &[event("data", "a\n b")]);
        check("data\n\n", &[event("message", "")]);
        check("data:\ndata:\n\n", &[event("message", "\n")]);
        check("event: control\n\n", &[]);
        check("event: control\n\ndata: a\n\n", &[event("message", "a")]);
        check(": alive\n\ndata:a\n\n", &[Sent::Comment, event("message", "a")]);
        check("id: 1\nretry: 5\nunknown\ndata:a:b\n\n", &[Sent::Retry(5), event_with_id("message", "a:b", "1")]);
        check("retry:5\n\nretry:x\n\n", &[Sent::Retry(5)]);
        check("data:a\nid\n\ndata:b\n\n", &[event_with_id("message", "a", ""), event("message", "b")]);
        check("\u{feff}data:a\n\n", &[event("message", "a")]);
        check("data:\u{feff}a\n\n", &[event("message", "\u{feff}a")]);
    }

    #[test]
    fn every_kind_of_line_end_ends_a_line() {
        for end in ["\n", "\r", "\r\n"] {
            let text = ["event:data", "data:a", "data:b", "", "data:c", "", ""].join(end);
            check(&text, &[event("data", "a\nb"), event("message", "c")]);
        }
        check("data:a\r\r\ndata:b\n\r", &[event("message", "a"), event("message", "b")]);
    }

    #[test]
    fn an_event_that_breaks_off_is_none() {
        let mut reader = EventReader::default();
        assert_eq!(reader.read(b"data:a\n"), []);
        assert!(reader.is_inside_event());
        assert_eq!(reader.read(b"\n"), [event("message", "a")]);
        assert!(!reader.is_inside_event());
    }
}
