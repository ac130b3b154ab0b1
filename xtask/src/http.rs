//! HTTP/1.1 over keep-alive connections without TLS: a client for health checks, load and measurements, which must cost less than
//! what it measures, and the parsing that a test's server shares with it. It needs only the standard library.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

/// The largest head, so that a head without an end does not fill the memory.
const HEAD_LIMIT: usize = 64 << 10;

/// One connection to a server.
pub struct Connection {
    host: String,
    wire: Wire,
}

/// An answer.
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The status line and the header fields.
    pub head: Head,
    /// The body, decoded if it was chunked.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects to `host:port`; every read and write ends after the time limit.
    pub fn open(host: &str, limit: Duration) -> Result<Self> {
        Self::open_as(host, host, limit)
    }

    /// Connects to `host:port` for requests that name another host, to which it is the way.
    pub fn open_as(address: &str, host: &str, limit: Duration) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        Ok(Self { host: host.to_owned(), wire: Wire::new(stream, Some(limit))? })
    }

    /// The bytes of a request, which can be built once and sent often.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || !["GET", "HEAD"].contains(&method) {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    /// Sends a request and reads its whole answer.
    pub fn send(&mut self, request: &[u8]) -> Result<Reply> {
        self.wire.write(request).context("the server closed the connection")?;
        let head = self.wire.head().context("the server did not answer")?;
        let head = head.context("the server closed the connection")?;
        let status = head.first().split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| anyhow!("no HTTP status line"))?;
        let body = if request.starts_with(b"HEAD ") { Vec::new() } else { self.wire.body(&head)? };
        Ok(Reply { status, head, body })
    }
}

/// The first line of a message and its header fields.
pub struct Head(String);

impl Head {
    /// The request line or the status line.
    pub fn first(&self) -> &str {
        self.0.lines().next().unwrap_or_default()
    }

    /// The value of a field, by its name in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let fields = self.0.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Either end of a connection.
pub struct Wire(BufReader<TcpStream>);

impl Wire {
    /// An end of a connection; every read and write ends after the time limit, if there is one.
    pub fn new(stream: TcpStream, limit: Option<Duration>) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(limit)?;
        stream.set_write_timeout(limit)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.get_mut().write_all(bytes)?)
    }

    /// Reads the head of the next message; `None` if the other end has closed the connection before it.
    pub fn head(&mut self) -> Result<Option<Head>> {
        let mut text = String::new();
        loop {
            let before = text.len();
            self.0.read_line(&mut text)?;
            match text[before..].trim_end() {
                "" if text.is_empty() => return Ok(None),
                "" if text.len() == before => bail!("the head ended early"),
                "" => return Ok(Some(Head(text))),
                _ if text.len() > HEAD_LIMIT => bail!("the head is longer than {HEAD_LIMIT} bytes"),
                _ => {}
            }
        }
    }

    /// Reads the body after a head.
    pub fn body(&mut self, head: &Head) -> Result<Vec<u8>> {
        if head.field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return self.chunks();
        }
        let length = head.field("content-length").map_or(Ok(0), str::parse);
        self.exactly(length.context("a Content-Length that is no number")?)
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).context("the body ended early")?;
        Ok(bytes)
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let (mut body, mut line) = (Vec::new(), String::new());
        loop {
            line.clear();
            self.0.read_line(&mut line).context("the body ended early")?;
            let length = usize::from_str_radix(line.trim_end(), 16).context("a chunk without a length")?;
            body.extend(self.exactly(length)?);
            self.exactly(2)?;
            if length == 0 {
                return Ok(body);
            }
        }
    }
}

/// Whether the server at `host:port` answers `GET /health` with 200 now.
pub fn healthy(host: &str) -> bool {
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

    /// Checks the status and the body that the client reads from bytes that a server sends.
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
    fn fields_have_names_without_case_and_values_without_spaces() {
        let head = Head("GET / HTTP/1.1\r\nHost: a\r\nX-One:  b: c \r\n\r\n".into());
        assert_eq!(head.first(), "GET / HTTP/1.1");
        assert_eq!((head.field("host"), head.field("x-one"), head.field("x")), (Some("a"), Some("b: c"), None));
    }

    #[test]
    fn bodies_are_read_by_length_by_chunks_or_not_at_all() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc");
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, "abc");
        check("HTTP/1.1 204 No Content\r\n\r\n", 204, "");
    }
}
