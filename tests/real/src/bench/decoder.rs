//! A decoder of HTTP/1.1 responses that come in pieces, wherever they were cut.

use anyhow::{Context, Result, anyhow, bail};

/// The status of a connection that goes on by another protocol.
const SWITCHED: u16 = 101;

/// What a reader needs of a head; empty if the field is missing.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The status code.
    pub(super) status: u16,
    /// `Stream-Next-Offset`.
    pub(super) next_offset: String,
    /// `Stream-Cursor`.
    pub(super) cursor: String,
}

/// A piece of a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// The head is complete.
    Head(&'a Head),
    /// Some of the body.
    Body(&'a [u8]),
    /// The body is complete; another response may follow.
    End,
}

/// Decodes the responses of one connection.
#[derive(Default)]
pub(super) struct Decoder {
    state: State,
    /// The incomplete line so far.
    line: Vec<u8>,
    head: Head,
    /// How many bytes of the body, or of the chunk, are still to come.
    left: usize,
    chunked: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Status,
    Header,
    Body,
    ChunkLength,
    Chunk,
    ChunkEnd,
    Trailer,
}

impl Decoder {
    /// Takes bytes that have come, and hands over the pieces in them.
    pub(super) fn push(&mut self, mut bytes: &[u8], take: &mut impl FnMut(Piece<'_>) -> Result<()>) -> Result<()> {
        while !bytes.is_empty() {
            if matches!(self.state, State::Body | State::Chunk) {
                let (now, later) = bytes.split_at(self.left.min(bytes.len()));
                take(Piece::Body(now))?;
                self.left -= now.len();
                bytes = later;
                if self.left == 0 {
                    self.end_of_part(take)?;
                }
                continue;
            }
            let Some(at) = bytes.iter().position(|&byte| byte == b'\n') else {
                self.line.extend_from_slice(bytes);
                return Ok(());
            };
            let (now, later) = bytes.split_at(at + 1);
            self.line.extend_from_slice(now);
            bytes = later;
            let line = std::mem::take(&mut self.line);
            self.take_line(String::from_utf8_lossy(&line).trim_end(), take)?;
        }
        Ok(())
    }

    fn take_line(&mut self, line: &str, take: &mut impl FnMut(Piece<'_>) -> Result<()>) -> Result<()> {
        match self.state {
            State::Status => {
                let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
                let status = status.ok_or_else(|| anyhow!("no HTTP status line: {line:?}"))?;
                self.head = Head { status, ..Head::default() };
                (self.left, self.chunked) = (0, false);
                self.state = State::Header;
            }
            State::Header if line.is_empty() => {
                take(Piece::Head(&self.head))?;
                if self.head.status == SWITCHED {
                    // What follows is no HTTP any more, and has no end.
                    self.left = usize::MAX;
                }
                self.state = if self.chunked { State::ChunkLength } else { State::Body };
                if !self.chunked && self.left == 0 {
                    self.end_of_part(take)?;
                }
            }
            State::Header => self.take_header(line)?,
            State::ChunkLength => {
                self.left =
                    usize::from_str_radix(line, 16).with_context(|| format!("no length of a chunk: {line:?}"))?;
                self.state = if self.left == 0 { State::Trailer } else { State::Chunk };
            }
            State::ChunkEnd => self.state = State::ChunkLength,
            State::Trailer if line.is_empty() => {
                self.state = State::Status;
                take(Piece::End)?;
            }
            State::Trailer => {}
            State::Body | State::Chunk => bail!("a line inside of a body"),
        }
        Ok(())
    }

    fn take_header(&mut self, line: &str) -> Result<()> {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => self.left = value.parse().context("a Content-Length that is no number")?,
            "transfer-encoding" => self.chunked = value.eq_ignore_ascii_case("chunked"),
            "stream-next-offset" => value.clone_into(&mut self.head.next_offset),
            "stream-cursor" => value.clone_into(&mut self.head.cursor),
            _ => {}
        }
        Ok(())
    }

    /// A body of a declared length, or a chunk, is complete.
    fn end_of_part(&mut self, take: &mut impl FnMut(Piece<'_>) -> Result<()>) -> Result<()> {
        if self.state == State::Chunk {
            self.state = State::ChunkEnd;
            return Ok(());
        }
        self.state = State::Status;
        take(Piece::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPONSES: &str = "HTTP/1.1 200 OK\r\nStream-Next-Offset: 0_7\r\nstream-cursor:  9\r\n\
        Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123\r\n5678\r\n0\r\n\r\n\
        HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nxy";

    /// Decodes bytes that come in pieces of this length; neighbouring pieces of a body are joined.
    fn decode(length: usize) -> Vec<String> {
        let mut decoder = Decoder::default();
        let (mut found, mut body) = (Vec::new(), String::new());
        for bytes in RESPONSES.as_bytes().chunks(length) {
            let mut take = |piece: Piece<'_>| {
                match piece {
                    Piece::Head(head) => found.push(format!("{} {} {}", head.status, head.next_offset, head.cursor)),
                    Piece::Body(bytes) => body.push_str(std::str::from_utf8(bytes)?),
                    Piece::End => found.push(std::mem::take(&mut body)),
                }
                Ok(())
            };
            decoder.push(bytes, &mut take).unwrap();
        }
        found
    }

    #[test]
    fn responses_are_the_same_however_they_are_cut() {
        let expected = ["200 0_7 9", "abc0123\r\n5678", "204  ", "", "200  ", "xy"];
        for length in 1..=RESPONSES.len() {
            assert_eq!(decode(length), expected, "in pieces of {length}");
        }
    }

    #[test]
    fn what_follows_a_change_of_the_protocol_is_a_body_without_an_end() {
        let (mut decoder, mut found) = (Decoder::default(), Vec::new());
        for bytes in ["HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\nab", "c\r\n\r\nHTTP/1.1 200 OK"] {
            let mut take = |piece: Piece<'_>| {
                found.push(match piece {
                    Piece::Head(head) => head.status.to_string(),
                    Piece::Body(bytes) => std::str::from_utf8(bytes)?.to_owned(),
                    Piece::End => "the end".to_owned(),
                });
                Ok(())
            };
            decoder.push(bytes.as_bytes(), &mut take).unwrap();
        }
        assert_eq!(found, ["101", "ab", "c\r\n\r\nHTTP/1.1 200 OK"]);
    }

    #[test]
    fn what_is_no_response_is_an_error() {
        for bytes in ["hello\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n", "\r\n"] {
            assert!(Decoder::default().push(bytes.as_bytes(), &mut |_| Ok(())).is_err(), "{bytes:?}");
        }
    }
}
