//! Many connections with events that only count what they get, on one thread.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// How often somebody looks at the time who waits for bytes.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// How many connections are opened before what they are told is waited for: the system queues no more.
const OPENED_AT_ONCE: usize = 100;

/// Connections, and how many bytes have come on each since that was last asked.
pub(super) struct Waiters(Vec<(TcpStream, usize)>);

impl Waiters {
    /// Sends the same request on as many new connections. Nobody reads what is answered.
    pub(super) fn stall(host: &str, target: &str, count: usize) -> Result<Self> {
        let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n");
        let connect = |_| {
            let mut stream = TcpStream::connect(host).with_context(|| format!("cannot connect to {host}"))?;
            stream.write_all(request.as_bytes())?;
            stream.set_nonblocking(true)?;
            Ok((stream, 0))
        };
        Ok(Self((0..count).map(connect).collect::<Result<_>>()?))
    }

    /// Connects readers at the tail of a stream, and waits until all have been told where they are.
    pub(super) fn join(host: &str, path: &str, count: usize, limit: Duration) -> Result<Self> {
        let mut waiters = Self(Vec::with_capacity(count));
        while waiters.0.len() < count {
            let more = OPENED_AT_ONCE.min(count - waiters.0.len());
            let mut joining = Self::stall(host, &format!("{path}?offset=now&live=sse"), more)?;
            // The head of an answer is longer than this, and no answer is given before the first event.
            joining.read_until(1, limit)?;
            waiters.0.append(&mut joining.0);
        }
        waiters.forget(Duration::from_secs(1))?;
        Ok(waiters)
    }

    /// Reads on for so long, and counts from then on.
    fn forget(&mut self, during: Duration) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < during {
            self.read()?;
        }
        self.0.iter_mut().for_each(|(_, bytes)| *bytes = 0);
        Ok(())
    }

    /// Reads until this many bytes have come on each connection, and counts from there on. Returns how long that took.
    pub(super) fn read_until(&mut self, bytes: usize, limit: Duration) -> Result<Duration> {
        let start = Instant::now();
        while let missing @ 1.. = self.0.iter().filter(|(_, come)| *come < bytes).count() {
            if start.elapsed() > limit {
                bail!("{missing} of {} readers have not got {bytes} bytes within {limit:?}", self.0.len());
            }
            self.read()?;
        }
        let took = start.elapsed();
        self.0.iter_mut().for_each(|(_, come)| *come = 0);
        Ok(took)
    }

    /// Reads what has come, or waits a moment for something.
    fn read(&mut self) -> Result<()> {
        let mut polled: Vec<_> = self.0.iter().map(|(stream, _)| PollFd::new(stream, PollFlags::IN)).collect();
        match poll(&mut polled, Some(&TICK)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("the readers cannot be waited for"),
        }
        let ready: Vec<bool> = polled.iter().map(|polled| !polled.revents().is_empty()).collect();
        let mut buffer = vec![0; 1 << 18];
        for ((stream, come), _) in self.0.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            match stream.read(&mut buffer) {
                Ok(0) => bail!("the server has closed a reader's connection"),
                Ok(length) => *come += length,
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) => {}
                Err(error) => return Err(error).context("a reader's connection is broken"),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn bytes_are_counted_on_each_connection_and_anew_after_each_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let mut streams: Vec<TcpStream> = (0..3).map(|_| listener.accept().unwrap().0).collect();
            streams.iter_mut().for_each(|stream| stream.write_all(&[0; 700]).unwrap());
            thread::sleep(Duration::from_millis(200));
            streams.iter_mut().skip(1).for_each(|stream| stream.write_all(&[0; 700]).unwrap());
            // The last one is closed.
            streams.truncate(2);
            let _ = streams[0].read(&mut [0; 1]);
            thread::sleep(Duration::from_secs(1));
        });
        let mut waiters = Waiters::stall(&host, "/x", 3).unwrap();
        waiters.read_until(700, LIMIT).unwrap();
        assert!(waiters.read_until(1, Duration::from_secs(1)).is_err(), "the first one gets nothing more");
        drop(waiters);
        server.join().unwrap();
    }
}
