//! An HTTP/1.1 client of one kept-alive connection, made for health checks and load: it must cost less than what it
//! measures, and needs nothing but the standard library.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

/// One connection to a server on this machine.
pub(crate) struct Connection {
    host: String,
    stream: BufReader<TcpStream>,
    line: String,
}

/// An answer; header names are in lower case.
pub(crate) struct Reply {
    /// The status code.
    pub(crate) status: u16,
    /// The body, decoded if it was chunked.
    pub(crate) body: Vec<u8>,
}

impl Connection {
    /// Connects to `host:port`; every read and write ends after the time limit.
    pub(crate) fn open(host: &str, limit: Duration) -> Result<Self> {
        let stream = TcpStream::connect(host).with_context(|| format!("cannot connect to {host}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        Ok(Self { host: host.to_owned(), stream: BufReader::new(stream), line: String::new() })
    }

    /// The bytes of a request, to be built once and sent often.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method != "GET" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    /// Sends a request and reads its whole answer.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<Reply> {
        self.stream.get_mut().write_all(request).context("the server closed the connection")?;
        let status = self.read_line()?.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| anyhow!("no HTTP status line"))?;
        let (mut length, mut chunked) = (0_usize, false);
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().context("a Content-Length that is no number")?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.trim().eq_ignore_ascii_case("chunked");
            }
        }
        let body = if chunked { self.read_chunks()? } else { self.read_exact(length)? };
        Ok(Reply { status, body })
    }

    fn read_line(&mut self) -> Result<&str> {
        self.line.clear();
        if self.stream.read_line(&mut self.line).context("the server did not answer")? == 0 {
            bail!("the server closed the connection");
        }
        Ok(self.line.trim_end())
    }

    fn read_exact(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).context("the body ended early")?;
        Ok(bytes)
    }

    fn read_chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let length = usize::from_str_radix(self.read_line()?, 16).context("a chunk without a length")?;
            body.extend(self.read_exact(length)?);
            self.read_line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }
}

/// Whether the server at `host:port` answers `GET /health` with 200 now.
pub(crate) fn healthy(host: &str) -> bool {
    let limit = Duration::from_secs(5);
    Connection::open(host, limit)
        .and_then(|mut connection| {
            let request = connection.request("GET", "/health", &[("connection", "close")], b"");
            connection.send(&request)
        })
        .is_ok_and(|reply| reply.status == 200)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What the client makes of bytes that a server sends.
    fn check(sent: &'static str, status: u16, body: &str) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(sent.as_bytes()).unwrap();
        });
        let mut connection = Connection::open(&host, Duration::from_secs(5)).unwrap();
        let request = connection.request("POST", "/x", &[], b"hello");
        let reply = connection.send(&request).unwrap();
        assert_eq!((reply.status, String::from_utf8(reply.body).unwrap().as_str()), (status, body));
        server.join().unwrap();
    }

    #[test]
    fn bodies_are_read_by_length_by_chunks_or_not_at_all() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc");
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, "abc");
        check("HTTP/1.1 204 No Content\r\n\r\n", 204, "");
    }
}
