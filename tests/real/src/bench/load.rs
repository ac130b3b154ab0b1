//! Connections that send one request after another. Requests are built before the clock starts and answers are only
//! counted, so that the load costs a fraction of what it measures.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use xtask::http::Connection;

/// How long a request may take; none takes this long unless something is broken.
const LIMIT: Duration = Duration::from_secs(30);

/// What every connection sends, again and again.
pub(super) struct Load<'a> {
    /// The method.
    pub(super) method: &'a str,
    /// `host:port`.
    pub(super) host: &'a str,
    /// Paths, dealt to the connections in turn.
    pub(super) paths: &'a [String],
    /// Header fields besides host and length.
    pub(super) headers: &'a [(&'a str, &'a str)],
    /// The body; empty where there is none.
    pub(super) body: &'a [u8],
    /// The status that every answer must have.
    pub(super) status: u16,
}

/// What came of a load.
pub(super) struct Done {
    /// How many requests were answered.
    pub(super) requests: u32,
    /// The time from the first request to the last answer.
    pub(super) took: Duration,
    /// The time of every request.
    pub(super) latencies: Vec<Duration>,
}

impl Done {
    /// Requests a second.
    pub(super) fn rate(&self) -> f64 {
        f64::from(self.requests) / self.took.as_secs_f64()
    }
}

impl Load<'_> {
    /// Sends requests over this many connections for this long.
    pub(super) fn run(&self, connections: usize, during: Duration) -> Result<Done> {
        // All connect before any sends. A thread that cannot connect must still reach the barrier, or the others would
        // wait for ever.
        let barrier = Barrier::new(connections);
        let start = Instant::now();
        let parts = thread::scope(|scope| {
            let paths = self.paths.iter().cycle().take(connections);
            let threads: Vec<_> = paths.map(|path| scope.spawn(|| self.send(path, &barrier, during))).collect();
            let join = |thread: thread::ScopedJoinHandle<'_, Result<Vec<Duration>>>| {
                thread.join().unwrap_or_else(|_| Err(anyhow!("a connection's thread has panicked")))
            };
            threads.into_iter().map(join).collect::<Result<Vec<_>>>()
        })?;
        let took = start.elapsed();
        let latencies = parts.concat();
        Ok(Done { requests: u32::try_from(latencies.len())?, took, latencies })
    }

    fn send(&self, path: &str, barrier: &Barrier, during: Duration) -> Result<Vec<Duration>> {
        let connection = Connection::open(self.host, LIMIT);
        barrier.wait();
        let mut connection = connection?;
        let request = connection.request(self.method, path, self.headers, self.body);
        let mut latencies = Vec::with_capacity(1 << 16);
        let start = Instant::now();
        while start.elapsed() < during {
            let sent = Instant::now();
            let reply = connection.send(&request)?;
            latencies.push(sent.elapsed());
            if reply.status != self.status {
                let body = String::from_utf8_lossy(&reply.body).into_owned();
                bail!("{} {path} was answered {} instead of {}: {body}", self.method, reply.status, self.status);
            }
        }
        Ok(latencies)
    }
}
