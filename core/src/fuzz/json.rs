//! JSON mode: the messages that a body is split into, compared with those of a reader that shares no code with the
//! splitter.

use std::ops::Range;

use bytes::Bytes;

use crate::protocol::ErrorCode;
use crate::protocol::json::JsonMessages;
use crate::protocol::limits::JSON_DEPTH_LIMIT;

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let expected = messages(bytes).map(|messages| JsonMessages {
        joined: messages.join(",").into(),
        lengths: messages.iter().map(|message| message.len() as u32).collect(),
    });
    match JsonMessages::split(&Bytes::copy_from_slice(bytes)) {
        Ok(split) => {
            assert_eq!(Some(&split), expected.as_ref());
            // What a reader gets is a body that splits into the same messages.
            let page = [b"[", split.joined.as_ref(), b"]"].concat();
            assert_eq!(JsonMessages::split(&page.into()), Ok(split));
        }
        Err(refusal) => {
            assert_eq!(expected, None, "{}", refusal.message);
            assert_eq!(refusal.code, ErrorCode::InvalidJson);
        }
    }
}

/// The messages of a body, if it is one JSON text and no message is too deep.
fn messages(bytes: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut reader = Reader { rest: text.as_bytes(), length: text.len() };
    let mut found: Vec<Range<usize>> = Vec::new();
    reader.space();
    if reader.take(b"[") {
        reader.space();
        while !(found.is_empty() && reader.take(b"]")) {
            found.push(reader.message()?);
            reader.space();
            if reader.take(b"]") {
                break;
            }
            reader.take(b",").then_some(())?;
        }
    } else {
        found.push(reader.message()?);
    }
    reader.space();
    reader.rest.is_empty().then_some(())?;
    found.into_iter().map(|range| text.get(range)).collect()
}

/// Reads the grammar of RFC 8259, section by section, without recursion.
struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl Reader<'_> {
    fn take(&mut self, token: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take_while(&mut self, mut wanted: impl FnMut(u8) -> bool) -> usize {
        let taken = self.rest.iter().take_while(|byte| wanted(**byte)).count();
        self.rest = self.rest.get(taken..).unwrap_or_default();
        taken
    }

    fn space(&mut self) {
        self.take_while(|byte| b" \t\n\r".contains(&byte));
    }

    fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    /// Reads a message, and returns its range; `None` if it is no JSON, or nests deeper than the limit.
    fn message(&mut self) -> Option<Range<usize>> {
        self.space();
        let start = self.at();
        let mut open = Vec::new();
        let mut deepest = 0;
        loop {
            self.space();
            let mut opened = true;
            if self.take(b"[") {
                open.push(b']');
            } else if self.take(b"{") {
                open.push(b'}');
            } else {
                self.scalar()?;
                opened = false;
            }
            deepest = deepest.max(open.len());
            // A value has ended. Either the array or object around it ends too, or another value follows after a comma.
            loop {
                let Some(&close) = open.last() else {
                    return (deepest <= JSON_DEPTH_LIMIT).then_some(start..self.at());
                };
                self.space();
                if self.take(&[close]) {
                    open.pop();
                    opened = false;
                    continue;
                }
                (opened || self.take(b",")).then_some(())?;
                if close == b'}' {
                    self.key()?;
                }
                break;
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        self.space();
        self.string()?;
        self.space();
        self.take(b":").then_some(())
    }

    fn scalar(&mut self) -> Option<()> {
        match self.rest.first()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            _ => [b"true".as_slice(), b"false", b"null"].into_iter().any(|word| self.take(word)).then_some(()),
        }
    }

    fn string(&mut self) -> Option<()> {
        self.take(b"\"").then_some(())?;
        loop {
            self.take_while(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
            if self.take(b"\"") {
                return Some(());
            }
            self.take(b"\\").then_some(())?;
            let mut left = if self.take(b"u") { 4 } else { 0 };
            if left == 0 {
                b"\"\\/bfnrt".iter().any(|escape| self.take(&[*escape])).then_some(())?;
            }
            self.take_while(|byte| {
                let digit = left > 0 && byte.is_ascii_hexdigit();
                left -= i32::from(digit);
                digit
            });
            (left == 0).then_some(())?;
        }
    }

    fn number(&mut self) -> Option<()> {
        self.take(b"-");
        (self.take(b"0") || self.digits()).then_some(())?;
        (!self.take(b".") || self.digits()).then_some(())?;
        if self.take(b"e") || self.take(b"E") {
            let _ = self.take(b"+") || self.take(b"-");
            self.digits().then_some(())?;
        }
        Some(())
    }

    fn digits(&mut self) -> bool {
        self.take_while(|byte| byte.is_ascii_digit()) > 0
    }
}
