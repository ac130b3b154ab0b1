//! A live reader of a load: its requests, and a check that it gets each numbered message once and in order.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, bail};

use super::decoder::{Decoder, Piece};

/// What precedes the number in each message.
const MARK: &[u8] = br#""n":""#;
/// The fields that ask for a socket (RFC 6455). The key may be any; nobody checks what the server makes of it.
const HANDSHAKE: &str = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
     sec-websocket-key: dGFpbHJhY2UgcmVhZGVyLg==\r\n";
/// How many digits a number has.
const DIGITS: usize = 8;

/// How a reader waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// One response, with events.
    Sse,
    /// One request after another.
    LongPoll,
    /// One socket, on which the object's own messages come.
    Socket,
}

impl Mode {
    /// The protocol's word for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sse => "sse",
            Self::LongPoll => "long-poll",
            Self::Socket => "socket",
        }
    }

    /// Whether an answer with that status serves a reader.
    fn takes(self, status: u16) -> bool {
        match self {
            Self::Sse => status == 200,
            Self::LongPoll => matches!(status, 200 | 204),
            Self::Socket => status == 101,
        }
    }
}

/// 100 bytes of JSON with a number in them.
pub(super) fn message(number: usize) -> Vec<u8> {
    let text = format!(
        r#"{{"type":"reading","sensor":"a-17","n":"{number:0DIGITS$}","value":21.375,"unit":"C","note":"0123456789abcde"}}"#
    );
    text.into_bytes()
}

/// A reader, without its connection.
pub(super) struct Reader {
    mode: Mode,
    host: String,
    path: String,
    decoder: Decoder,
    /// The end of what has come, in which a number may be incomplete.
    text: Vec<u8>,
    /// The number of the next message.
    next: usize,
    /// The offset of the next request.
    offset: String,
    /// The cursor of the next request; empty if there is none.
    cursor: String,
    /// Whether the server has told this reader's offset.
    is_greeted: bool,
}

impl Reader {
    /// Sends the first request over a new connection.
    pub(super) fn begin(mode: Mode, host: &str, path: &str, stream: &TcpStream) -> Result<Self> {
        let reader = Self {
            mode,
            host: host.to_owned(),
            path: path.to_owned(),
            decoder: Decoder::default(),
            text: Vec::new(),
            next: 0,
            offset: "-1".to_owned(),
            cursor: String::new(),
            is_greeted: false,
        };
        reader.ask(stream)?;
        Ok(reader)
    }

    /// Whether the server is known to serve the reader: by SSE it says so; by long-poll it says nothing.
    pub(super) fn is_greeted(&self) -> bool {
        self.is_greeted || self.mode == Mode::LongPoll
    }

    /// Takes what has come over the connection, and tells the number of each message.
    pub(super) fn read(
        &mut self,
        mut stream: &TcpStream,
        buffer: &mut [u8],
        arrived: &mut impl FnMut(usize),
    ) -> Result<()> {
        loop {
            let length = match stream.read(buffer) {
                Ok(0) => bail!("the server has closed a reader's connection"),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("a reader's connection is broken"),
            };
            self.take(&buffer[..length], stream, arrived)?;
            if length < buffer.len() {
                return Ok(());
            }
        }
    }

    fn take(&mut self, bytes: &[u8], stream: &TcpStream, arrived: &mut impl FnMut(usize)) -> Result<()> {
        let mut decoder = std::mem::take(&mut self.decoder);
        let taken = decoder.push(bytes, &mut |piece| {
            match piece {
                Piece::Head(head) if self.mode.takes(head.status) => {
                    head.next_offset.clone_into(&mut self.offset);
                    head.cursor.clone_into(&mut self.cursor);
                }
                Piece::Head(head) => bail!("a reader by {} was answered {}", self.mode.name(), head.status),
                Piece::Body(bytes) => {
                    self.is_greeted = true;
                    self.find_messages(bytes, arrived)?;
                }
                Piece::End if self.mode != Mode::LongPoll => bail!("the server has ended a reader's events"),
                Piece::End => {
                    self.text.clear();
                    self.ask(stream)?;
                }
            }
            Ok(())
        });
        self.decoder = decoder;
        taken
    }

    /// Finds the numbers in the text of a body, of which these bytes come next.
    fn find_messages(&mut self, bytes: &[u8], arrived: &mut impl FnMut(usize)) -> Result<()> {
        self.text.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(found) = self.text[at..].windows(MARK.len()).position(|window| window == MARK) {
            let start = at + found + MARK.len();
            let Some(digits) = self.text.get(start..start + DIGITS) else { break };
            let number: usize = std::str::from_utf8(digits)?.parse().context("a message without a number")?;
            if number != self.next {
                bail!("a reader by {} got message {number} instead of {}", self.mode.name(), self.next);
            }
            self.next += 1;
            arrived(number);
            at = start + DIGITS;
        }
        // A mark or its number may be incomplete.
        let kept = self.text.len().saturating_sub(MARK.len() + DIGITS).max(at);
        self.text.drain(..kept);
        Ok(())
    }

    fn ask(&self, mut stream: &TcpStream) -> Result<()> {
        let Self { path, host, offset, cursor, mode, .. } = self;
        let cursor = if cursor.is_empty() { String::new() } else { format!("cursor={cursor}&") };
        let (live, fields) = if *mode == Mode::Socket { (Mode::Sse, HANDSHAKE) } else { (*mode, "") };
        let query = format!("{cursor}live={}&offset={offset}", live.name());
        let request = format!("GET {path}?{query} HTTP/1.1\r\nhost: {host}\r\n{fields}\r\n");
        stream.write_all(request.as_bytes()).context("a reader cannot send its request")
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What a reader finds in what a server sends in pieces of this length, until the server closes the connection.
    fn read(mode: Mode, sent: &str, length: usize) -> (Vec<usize>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let pieces: Vec<Vec<u8>> = sent.as_bytes().chunks(length).map(<[u8]>::to_vec).collect();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            pieces.iter().for_each(|piece| stream.write_all(piece).unwrap());
        });
        let stream = TcpStream::connect(&host).unwrap();
        let mut reader = Reader::begin(mode, &host, "/x", &stream).unwrap();
        let (mut found, mut buffer) = (Vec::new(), [0; 64]);
        let error = loop {
            if let Err(error) = reader.read(&stream, &mut buffer, &mut |number| found.push(number)) {
                break format!("{error:#}");
            }
        };
        server.join().unwrap();
        (found, error)
    }

    fn chunk(text: &str) -> String {
        format!("{:x}\r\n{text}\r\n", text.len())
    }

    fn event(number: usize) -> String {
        format!("event: data\ndata:[{}]\n\n", String::from_utf8(message(number)).unwrap())
    }

    #[test]
    fn a_message_is_100_bytes() {
        assert_eq!(message(0).len(), 100);
        assert_eq!(message(12_345_678).len(), 100);
    }

    #[test]
    fn messages_are_found_however_events_are_cut() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
        let (first, second) = (event(0) + &event(1), event(2));
        let (front, back) = first.split_at(150);
        let sent = head + &chunk(front) + &chunk(back) + &chunk(&second);
        for length in [1, 7, 64, 10_000] {
            let (found, error) = read(Mode::Sse, &sent, length);
            assert_eq!(found, [0, 1, 2], "in pieces of {length}");
            assert_eq!(error, "the server has closed a reader's connection");
        }
    }

    #[test]
    fn a_message_that_is_missing_or_comes_twice_is_an_error() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
        for (numbers, error) in [([0, 2], "got message 2 instead of 1"), ([0, 0], "got message 0 instead of 1")] {
            let sent = head.clone() + &chunk(&event(numbers[0])) + &chunk(&event(numbers[1]));
            assert!(read(Mode::Sse, &sent, 10_000).1.ends_with(error), "{numbers:?}");
        }
    }

    #[test]
    fn an_answer_that_serves_no_reader_is_an_error() {
        let check = |mode, head: &str, error| assert_eq!(read(mode, head, 10_000).1, error);
        check(Mode::Sse, "HTTP/1.1 501 X\r\ncontent-length: 0\r\n\r\n", "a reader by sse was answered 501");
        check(Mode::Sse, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "the server has ended a reader's events");
        check(Mode::LongPoll, "HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n", "a reader by long-poll was answered 404");
    }
}
